/** Who may ask for rewards. The token comes from the environment or from a file that only its owner reads; it is never shown. */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fault } from "../../engine/errors";

/** The environment variable that holds the token, on the server's side and on the trainer's. */
export const TOKEN_VARIABLE = "SRPO_REWARD_TOKEN";

/** The token in the environment, else the one in `file`, which is made where there is none. */
export function rewardToken(file: string): { token: string; from: string } {
  const given = process.env[TOKEN_VARIABLE]?.trim();
  if (given) return { token: given, from: TOKEN_VARIABLE };
  mkdirSync(dirname(file), { recursive: true });
  try {
    // Fails where the file is there already, so that two servers share one token.
    writeFileSync(file, randomBytes(24).toString("base64url") + "\n", { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const token = readFileSync(file, "utf8").trim();
  if (token !== "") return { token, from: file };
  throw fault("rewardToken", `${file} is empty`, { try: `remove it, or set ${TOKEN_VARIABLE}` });
}

/**
 * Whether an `Authorization` header holds the token: `Bearer TOKEN`, or `Basic` with the token as password, which is what
 * clients make of `http://srpo:TOKEN@host/`. OpenRLHF can say it in no other way.
 */
export function isAuthorised(header: string | undefined, token: string): boolean {
  const [, scheme, value] = /^(bearer|basic) +(\S+)$/i.exec(header ?? "") ?? [];
  if (value === undefined) return false;
  const given =
    scheme.toLowerCase() === "bearer"
      ? value
      : Buffer.from(value, "base64")
          .toString("utf8")
          .replace(/^[^:]*:/, "");
  const [one, other] = [Buffer.from(given), Buffer.from(token)];
  return one.length === other.length && timingSafeEqual(one, other);
}
