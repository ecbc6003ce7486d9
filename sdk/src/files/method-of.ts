/** Returns the full path of a method of Files, as in the method table. */
export function methodOf(name: string): string {
  return `/cmdop.v1.Files/${name}`;
}
