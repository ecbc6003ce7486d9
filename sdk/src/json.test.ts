import { expectTypeOf, it } from "vitest";
import type { CMDOPClient, ExecError, RunError } from "./index.ts";

/** Steps from the client to the field of a result; a walk must end somewhere, since clients give clients. */
type Deepest = 12;

/** What JSON has a form for, whatever is in it; and what a caller brings along himself. */
type Leaf = Uint8Array | Date | AbortSignal | RegExp;

type Deeper<Steps extends 0[]> = [...Steps, 0];

/** The paths to whatever is a bigint in what a type gives: its fields, what its methods return, yield and resolve with. */
type Bigints<T, Path extends string = "", Steps extends 0[] = []> = unknown extends T
  ? never
  : Steps["length"] extends Deepest
    ? never
    : T extends bigint
      ? Path
      : T extends Leaf
        ? never
        : T extends (...args: never) => infer Returned
          ? Bigints<Returned, `${Path}()`, Deeper<Steps>>
          : T extends Promise<infer Value> | AsyncIterable<infer Value> | readonly (infer Value)[]
            ? Bigints<Value, Path, Deeper<Steps>>
            : T extends object
              ? {
                  [Key in keyof T & string]: Bigints<T[Key], `${Path}.${Key}`, Deeper<Steps>>;
                }[keyof T & string]
              : never;

it("whatever the SDK gives survives JSON: no bigint is in it (the compiler walks all of it)", () => {
  expectTypeOf<Bigints<{ deep(): Promise<{ offset: bigint }[]> }>>().toEqualTypeOf<".deep().offset">();
  expectTypeOf<Bigints<CMDOPClient>>().toBeNever();
  expectTypeOf<Bigints<ExecError | RunError>>().toBeNever();
});
