/**
 * Replies of a model as JSON objects of a stated form. The form is written down once: as the JSON Schema that a server is sent, and as
 * the check that a reply goes through. Servers differ in how far they follow a schema, and some ignore it.
 */

/** A field of a reply: a text that is not blank, or a whole number. */
export type ReplyField =
  | { type: "string"; description: string }
  | { type: "integer"; description: string; minimum: number; maximum: number };

export type ReplyForm = Readonly<Record<string, ReplyField>>;

/** What a reply of the form holds. */
export type ReplyOf<Form extends ReplyForm> = {
  -readonly [K in keyof Form]: Form[K] extends { type: "integer" } ? number : string;
};

/** The form as JSON Schema, with every field required and no others, as strict structured output wants it. */
export function schemaOf(form: ReplyForm): Record<string, unknown> {
  return {
    type: "object",
    properties: form,
    required: Object.keys(form),
    additionalProperties: false,
  };
}

/**
 * Reads a reply: a JSON object, alone, in a code fence or among words.
 * @returns the fields, or in words for the model what is wrong with the reply
 */
export function readReply<Form extends ReplyForm>(
  text: string,
  form: Form,
): { value: ReplyOf<Form> } | { fault: string } {
  const object = parseObject(text);
  if (object === null) return { fault: "the reply is not one JSON object" };
  const value: Record<string, string | number> = {};
  for (const [name, field] of Object.entries(form)) {
    const given = object[name];
    if (field.type === "string") {
      // Models write a number where the text is one.
      const words = typeof given === "number" ? String(given) : given;
      if (typeof words !== "string" || words.trim() === "") {
        return { fault: `the field "${name}" is missing or is no text` };
      }
      value[name] = words.trim();
      continue;
    }
    const number = typeof given === "string" ? Number(given) : given;
    const { minimum, maximum } = field;
    const fits = Number.isInteger(number) && Number(number) >= minimum && Number(number) <= maximum;
    if (!fits) {
      return { fault: `the field "${name}" is no whole number from ${minimum} to ${maximum}` };
    }
    value[name] = Number(number);
  }
  return { value: value as ReplyOf<Form> };
}

function parseObject(text: string): Record<string, unknown> | null {
  const body = text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1);
  try {
    const value: unknown = JSON.parse(escapeFormulas(body));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** LaTeX commands that begin like an escape of JSON: `\frac` would be a form feed and `rac`. */
const FORMULA =
  /^(?:beta|bar|begin|boxed|binom|big|bullet|bot|frac|forall|nu|neq?|nabla|neg|not|right\w*|rho|rangle|rm|times|text\w*|theta|tan\w*|triangle\w*|to|tfrac|tau|therefore|top)(?![a-z])/;

/** Doubles the backslashes of LaTeX that a model has not doubled. */
function escapeFormulas(json: string): string {
  return json.replace(/\\(\\|[^\\])/g, (whole, next: string, at: number) => {
    if (next === "\\" || next === '"' || next === "/") return whole;
    const rest = json.slice(at + 1, at + 24);
    const escape = /^(?:[bfnrt]|u[\da-f]{4})/i.test(rest) && !FORMULA.test(rest);
    return escape ? whole : `\\${whole}`;
  });
}
