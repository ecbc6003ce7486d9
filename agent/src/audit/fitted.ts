/** What one character takes in a record: as JSON, in UTF-8. */
function bytesOf(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2;
}

/** Text that takes at most so many bytes in a record; what had to go is counted at its end. `maxBytes`: 100 at least. */
export function fitted(text: string, maxBytes: number): string {
  if (bytesOf(text) <= maxBytes) return text;
  const note = (characters: number): string => `… and ${characters} more characters`;
  let left = maxBytes - bytesOf(note(text.length));
  let end = 0;
  for (const character of text) {
    left -= bytesOf(character);
    if (left < 0) break;
    end += character.length;
  }
  return text.slice(0, end) + note(text.length - end);
}
