// Jupyter's messages as frames of ZeroMQ: identities, a delimiter, a signature, four JSON parts, and binary buffers.
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";

const DELIMITER = "<IDS|MSG>";
/** Version of Jupyter's messaging protocol that this kernel speaks. */
export const PROTOCOL_VERSION = "5.4";
const session = randomUUID();

/**
 * @typedef {{identities: Buffer[], header: any, parent: any, metadata: any, content: any, buffers: Buffer[]}} Message
 */

const sign = (key, parts) => {
  const hash = createHmac("sha256", key);
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

/**
 * @param {string} key of the connection file; empty where messages are not signed
 * @param {Buffer[]} frames
 * @returns {Message}
 * @throws Error for what is no message, or not from somebody who has the key
 */
export function parseMessage(key, frames) {
  const at = frames.findIndex((frame) => frame.toString("latin1") === DELIMITER);
  if (at < 0 || frames.length < at + 6) throw new Error("a message without its parts");
  const parts = frames.slice(at + 2, at + 6);
  if (key !== "") {
    const [given, wanted] = [frames[at + 1], Buffer.from(sign(key, parts))];
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      throw new Error("a message with a wrong signature");
    }
  }
  const [header, parent, metadata, content] = parts.map((part) => JSON.parse(part.toString()));
  const identities = frames.slice(0, at);
  return { identities, header, parent, metadata, content, buffers: frames.slice(at + 6) };
}

/**
 * @param {string} key
 * @param {{type: string, content: object, parent?: Message, identities?: (Buffer | string)[], metadata?: object,
 *   buffers?: Buffer[]}} message parent: the request that this belongs to
 * @returns {(Buffer | string)[]} frames
 */
export function formatMessage(key, message) {
  const { type, content, parent, identities = [], metadata = {}, buffers = [] } = message;
  const header = {
    msg_id: randomUUID(),
    msg_type: type,
    session,
    username: parent?.header.username ?? "kernel",
    date: new Date().toISOString(),
    version: PROTOCOL_VERSION,
  };
  const parts = [header, parent?.header ?? {}, metadata, content].map((part) =>
    JSON.stringify(part),
  );
  return [...identities, DELIMITER, key === "" ? "" : sign(key, parts), ...parts, ...buffers];
}
