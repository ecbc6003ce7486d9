import { expect, it } from "vitest";
import { attempt, fileError } from "./errors.ts";

function errno(code: string): Error {
  return Object.assign(new Error(`${code}: as Node says it`), { code, syscall: "open", errno: -1 });
}

it.each([
  ["ENOENT", "NotFound"],
  ["EACCES", "AccessDenied"],
  ["EPERM", "AccessDenied"],
  ["EROFS", "AccessDenied"],
  ["EBUSY", "AccessDenied"],
  ["EEXIST", "AlreadyExists"],
  ["ENOTDIR", "NotADirectory"],
  ["EISDIR", "IsADirectory"],
  ["ENOTEMPTY", "DirectoryNotEmpty"],
  ["ENOSPC", "NoSpace"],
  ["EDQUOT", "NoSpace"],
  ["ELOOP", "InvalidArgument"],
  ["ENAMETOOLONG", "InvalidArgument"],
  ["EMFILE", "LimitExceeded"],
  ["EIO", "Internal"],
])("%s is %s, and says which path", (code, expected) => {
  const error = fileError(errno(code), "read", "/some/file");
  expect(error.code).toBe(expected);
  expect(error.message).toMatch(/^Can't read "\/some\/file": .+\.$/);
  expect(error.next).not.toContain("defect");
});

it("lets what failed first speak when the cleaning up fails as well", async () => {
  const work = async () => {
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => Promise.reject(errno("EIO")));
    throw errno("ENOSPC");
  };
  await expect(attempt("write", "/f", work)).rejects.toMatchObject({
    code: "NoSpace",
    message: expect.stringContaining("EIO"),
  });
});
