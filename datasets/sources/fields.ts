/** Fields of records: texts, lists, turns of a conversation and pictures, under the names that data sets give them. */
import { fault } from "../../lib/engine/errors";
import type { PictureRef, Row } from "./source";

/** The first of these fields that holds a text or a number, as text. */
export function textOf(row: Row, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = row[name];
    if (typeof value === "string") return value;
    if (typeof value === "number" && Number.isFinite(value)) return String(value);
  }
  return undefined;
}

/** As {@link textOf}. @throws LabError naming the first name when none is there or it is blank */
export function requiredText(row: Row, ...names: readonly string[]): string {
  const text = textOf(row, ...names);
  if (text !== undefined && text.trim() !== "") return text;
  throw fault("draftOf", `the record has no ${names[0]}`);
}

/** The first of these fields that is a list of texts or numbers and not empty. */
export function textsOf(row: Row, ...names: readonly string[]): string[] | undefined {
  for (const name of names) {
    const value = row[name];
    if (!Array.isArray(value) || value.length === 0) continue;
    if (value.every((v) => typeof v === "string" || typeof v === "number"))
      return value.map(String);
  }
  return undefined;
}

/** Where records name their pictures. */
const PICTURE_FIELDS = ["images", "image", "image_path", "image_paths", "image_urls", "img_path"];

/**
 * The pictures of a record in order: a path, a list of paths, `{bytes, path}` as the hub's parquet files have it, or lists of
 * these; else the parts of its first message that are pictures.
 */
export function picturesOf(row: Row): PictureRef[] {
  for (const name of PICTURE_FIELDS) {
    const found = pictureRefs(row[name]);
    if (found.length > 0) return found;
  }
  return messagesOf(row).flatMap(({ content }) =>
    Array.isArray(content)
      ? content.flatMap((part: Row) => pictureRefs(part?.image ?? urlOf(part?.image_url)))
      : [],
  );
}

const urlOf = (value: unknown): unknown =>
  typeof value === "object" && value !== null ? (value as Row).url : value;

/** The pictures in a field: a path, a picture's bytes, `{bytes, path}`, or lists of these. */
export function pictureRefs(value: unknown): PictureRef[] {
  if (typeof value === "string") return value.trim() === "" ? [] : [value];
  if (value instanceof Uint8Array) return [value];
  if (Array.isArray(value)) return value.flatMap(pictureRefs);
  if (typeof value !== "object" || value === null) return [];
  const { bytes, path } = value as Row;
  return bytes instanceof Uint8Array ? [bytes] : pictureRefs(path);
}

interface Message {
  role: string;
  content: unknown;
}

/** `conversations` with from/value or `messages` with role/content; MM-Eureka's `message` holds the list as JSON text. */
function messagesOf(row: Row): Message[] {
  const given = row.messages ?? row.conversations ?? row.message;
  const list = typeof given === "string" ? parseList(given) : given;
  if (!Array.isArray(list)) return [];
  return list.flatMap((turn: Row) => {
    const role = textOf(turn ?? {}, "role", "from");
    return role === undefined ? [] : [{ role, content: turn.content ?? turn.value }];
  });
}

function parseList(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw fault("draftOf", "the record's message is no JSON");
  }
}

/** What was asked first, and the first reply to it; `reply` is `undefined` in a conversation that ends with the question. */
export interface Exchange {
  ask: string;
  reply?: string;
}

/**
 * The first question of a conversation and its reply. Later turns refer to earlier ones and make no problem of their own.
 * @throws LabError when there is no question
 */
export function firstExchange(row: Row): Exchange {
  const turns = messagesOf(row);
  const at = turns.findIndex(({ role }) => /^(?:human|user)$/i.test(role));
  if (at < 0) throw fault("draftOf", "the record has no turn of a user");
  const reply = turns.slice(at + 1).find(({ role }) => /^(?:gpt|assistant|model)$/i.test(role));
  return {
    ask: messageText(turns[at].content),
    ...(reply === undefined ? {} : { reply: messageText(reply.content) }),
  };
}

function messageText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .flatMap((part: Row) => (typeof part?.text === "string" ? [part.text] : []))
    .join("\n");
}
