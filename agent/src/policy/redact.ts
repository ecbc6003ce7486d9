/**
 * What a policy's `redact` hides: whatever follows one of its texts, in any
 * case, up to the next space that is not inside of quotes. `"--password="`
 * hides the rest of that argument, `"--token "` the argument after it.
 *
 * Plain texts rather than regular expressions, since these would run over what
 * strangers send: no text can be made to take long (nothing follows the part
 * that repeats, so there is nothing to go back for), and none is written
 * wrongly in a way that only shows when the secret is in the audit.
 */
export function redactions(texts: readonly string[] | undefined): readonly RegExp[] {
  return (texts ?? []).map((text) => {
    const literal = text.replace(/[$()*+.?[\\\]^{|}/]/g, "\\$&");
    // Where a quote stands just before the text, all up to the closing quote belongs together.
    const word = `(?:'[^']*'?|"[^"]*"?|[^\\s'"])`;
    const quoted = `(?<='${literal})[^']*'?${word}*|(?<="${literal})[^"]*"?${word}*`;
    return new RegExp(`${quoted}|(?<=${literal})${word}+`, "giu");
  });
}
