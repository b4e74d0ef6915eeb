/** Text that comes in pieces, as lines. */
import { StringDecoder } from "node:string_decoder";

/**
 * The lines of a stream of UTF-8, one at a time and without their newline.
 * `node:readline` would also break at U+2028 and U+2029, which JSON allows inside strings.
 */
export async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let parts: string[] = [];
  for await (const chunk of stream) {
    const pieces = decoder.write(chunk).split("\n");
    for (const piece of pieces.slice(0, -1)) {
      yield [...parts, piece].join("");
      parts = [];
    }
    parts.push(pieces[pieces.length - 1]);
  }
  const last = parts.join("") + decoder.end();
  if (last !== "") yield last;
}
