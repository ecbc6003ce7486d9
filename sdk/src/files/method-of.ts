/** The full path of a method of Files, as the method table has it. */
export function methodOf(name: string): string {
  return `/cmdop.v1.Files/${name}`;
}
