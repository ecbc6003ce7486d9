import { isIPv6 } from "node:net";
import { z } from "zod";

/** Fields that several statements share. */

/** 32 bytes as base64url: a public key or a thumbprint. */
export const bytes32Schema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/, "expected 32 bytes as base64url");

/** Seconds since 1970. */
export const secondsSchema = z.int().min(0).max(253_402_300_799);

/** Sequence number of a statement that replaces its predecessors. */
export const seqSchema = z.int().min(0);

/** Longest name of a machine or a key. */
export const MAX_NAME_CHARACTERS = 63;

/** Name of a machine or a key, as people type it. */
export const nameSchema = z
  .string()
  .regex(
    /^[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$/,
    "expected 1 to 63 letters, digits, dots, dashes or underscores",
  );

/** Labels of a machine, for example `team=payments`. */
export const labelsSchema = z
  .record(z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,62}$/), z.string().regex(/^[a-zA-Z0-9._-]{0,63}$/))
  .refine((labels) => Object.keys(labels).length <= 32, "expected at most 32 labels");

/**
 * `host:port`. The host is a name, an IPv4 address, or an IPv6 address in brackets (with a zone id if it
 * needs one); the port is 1 to 65,535.
 */
export const addressSchema = z
  .string()
  .max(260)
  .regex(
    /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]{1,32})?\]):[1-9][0-9]{0,4}$/,
    "expected host:port",
  )
  .refine(
    (address) => !address.startsWith("[") || isIPv6(address.slice(1, address.lastIndexOf("]"))),
    "expected an IPv6 address",
  )
  .refine((address) => Number(address.slice(address.lastIndexOf(":") + 1)) <= 65_535, "expected a port");

/** A relay's id: the SHA-256 of its CA's public key as base64url, or the host name of a relay with a public certificate. */
export const relayIdSchema = z.union([
  bytes32Schema,
  z
    .string()
    .max(253)
    .regex(/^(?=.*\.)[a-z0-9-]+(?:\.[a-z0-9-]+)+$/, "expected a relay id or a host name"),
]);
