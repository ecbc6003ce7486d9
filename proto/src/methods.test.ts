import { create, type DescMethod } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Audit, Keys, Machines, Roster } from "./gen/cmdop/relay/v1/relay_pb.ts";
import { Agent } from "./gen/cmdop/v1/agent_pb.ts";
import { Approvals } from "./gen/cmdop/v1/approvals_pb.ts";
import { Exec } from "./gen/cmdop/v1/exec_pb.ts";
import { Files, FilesWriteStreamRequestSchema } from "./gen/cmdop/v1/files_pb.ts";
import { Jobs } from "./gen/cmdop/v1/jobs_pb.ts";
import { Link } from "./gen/cmdop/v1/link_pb.ts";
import { Machine } from "./gen/cmdop/v1/machine_pb.ts";
import { Sessions } from "./gen/cmdop/v1/sessions_pb.ts";
import { MAX_MESSAGE_BYTES } from "./limits.ts";
import {
  DEFAULT_MAX_REQUEST_BYTES,
  LINK_SERVICE_PREFIX,
  METHODS,
  methodRule,
  OWNER_SCOPES,
  RELAY_SERVICES_PREFIX,
  requestPaths,
  SCOPES,
} from "./methods.ts";
import { methodPath } from "./rpc/method-path.ts";

const AGENT_SERVICES = [Exec, Sessions, Jobs, Agent, Files, Machine, Approvals];
const RELAY_SERVICES = [Machines, Keys, Roster, Audit];

const described = new Map<string, DescMethod>(
  [...AGENT_SERVICES, ...RELAY_SERVICES].flatMap((service) =>
    service.methods.map((method): [string, DescMethod] => [methodPath(service, method), method]),
  ),
);

describe("the method table", () => {
  it("has every method of every service, and no other", () => {
    expect(Object.keys(METHODS).sort()).toEqual([...described.keys()].sort());
  });

  it("the relay's services are told from the machine's by their prefix, and nobody reaches Link", () => {
    for (const service of RELAY_SERVICES) expect(`/${service.typeName}/`).toContain(RELAY_SERVICES_PREFIX);
    for (const service of AGENT_SERVICES)
      expect(`/${service.typeName}/`).not.toContain(RELAY_SERVICES_PREFIX);
    for (const method of Link.methods) {
      expect(methodPath(Link, method).startsWith(LINK_SERVICE_PREFIX)).toBe(true);
      expect(methodRule(methodPath(Link, method))).toBeUndefined();
    }
  });

  it.each(["", "/", "constructor", "__proto__", "toString", "/cmdop.v1.Exec/start", "/cmdop.v1.Exec/Start/"])(
    "%j has no rule",
    (path) => {
      expect(methodRule(path)).toBeUndefined();
    },
  );

  it.each(Object.entries(METHODS))("%s: its requests are bounded, unless they are a stream", (path, rule) => {
    const kind = described.get(path)?.methodKind;
    const isStream = kind === "client_streaming" || kind === "bidi_streaming";
    const { maxRequestBytes = DEFAULT_MAX_REQUEST_BYTES } = rule;
    if (isStream) expect(maxRequestBytes).toBe(Number.POSITIVE_INFINITY);
    else expect(maxRequestBytes).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
  });

  it.each(Object.entries(METHODS))("%s: its scopes exist, and cover what it does to paths", (_path, rule) => {
    for (const scope of rule.scopes) expect(SCOPES).toContain(scope);
    for (const { access } of rule.paths ?? []) expect(rule.scopes).toContain(access);
  });

  it("an owner's own scopes reach nothing on a machine but its description and the end of its audit chain", () => {
    const reached = Object.entries(METHODS)
      .filter(
        ([path, rule]) =>
          !path.startsWith(RELAY_SERVICES_PREFIX) && rule.scopes.every((s) => OWNER_SCOPES.includes(s)),
      )
      .map(([path]) => path);
    expect(reached).toEqual([
      "/cmdop.v1.Machine/Info",
      "/cmdop.v1.Machine/Explain",
      "/cmdop.v1.Machine/AuditHead",
    ]);
  });
});

describe("requestPaths", () => {
  it.each(Object.entries(METHODS))("%s: finds every path in its real message", (path, rule) => {
    const method = described.get(path);
    if (method === undefined) throw new Error(`${path} is not a method`);
    // Every text field of a files request is a path, except these.
    const others = ["List.page", "Walk.names", "Walk.exclude", "Symlink.target"];
    others.push(...["names", "exclude", "content", "flags"].map((name) => `Search.${name}`));
    const named = method.input.fields.filter(
      (field) => field.scalar === 9 && !others.includes(`${method.name}.${field.name}`),
    );
    const texts = Object.fromEntries(named.map((field) => [field.localName, `/the/${field.localName}`]));
    const message =
      method.input.typeName === FilesWriteStreamRequestSchema.typeName
        ? create(FilesWriteStreamRequestSchema, { header: { path: "/the/header" } })
        : create(method.input, texts);
    const found = requestPaths(rule, message).map((item) => item.path);
    if (!path.startsWith("/cmdop.v1.Files/")) expect(found).toEqual([]);
    else if (path.endsWith("WriteStream")) expect(found).toEqual(["/the/header"]);
    else expect(found.sort()).toEqual(Object.values(texts).sort());
  });

  it("a first message without its header names the empty path, which nothing allows", () => {
    const rule = methodRule("/cmdop.v1.Files/WriteStream");
    if (rule === undefined) throw new Error("no rule");
    expect(requestPaths(rule, create(FilesWriteStreamRequestSchema, {}))).toEqual([
      { path: "", access: "files:write" },
    ]);
  });

  it("says for copy and move what is read and what is written", () => {
    const access = (path: string) => METHODS[path]?.paths?.map((item) => `${item.field} ${item.access}`);
    expect(access("/cmdop.v1.Files/Copy")).toEqual(["source files:read", "destination files:write"]);
    expect(access("/cmdop.v1.Files/Move")).toEqual(["source files:write", "destination files:write"]);
  });
});
