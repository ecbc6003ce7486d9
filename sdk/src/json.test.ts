import { expectTypeOf, it } from "vitest";
import type { CMDOPClient, ExecError, RunError } from "./index.ts";

/**
 * Greatest number of steps from the client to a field of a result. The walk needs a limit, because clients
 * return clients.
 */
type Deepest = 12;

/** Types where the walk ends: JSON has a form for them, or the caller provides them. */
type Leaf = Uint8Array | Date | AbortSignal | RegExp;

type Deeper<Steps extends 0[]> = [...Steps, 0];

/**
 * The paths to every bigint in a type: in its fields and in the results, items and promises of its methods.
 */
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
