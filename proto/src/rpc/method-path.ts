import type { DescMethod } from "@bufbuild/protobuf";
import type { Service } from "./types.ts";

/** The method's name on the wire: `/cmdop.v1.Exec/Start`. */
export function methodPath(service: Pick<Service, "typeName">, method: Pick<DescMethod, "name">): string {
  return `/${service.typeName}/${method.name}`;
}
