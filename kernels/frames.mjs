// Messages between the kernel's two processes: v8-serialized values, each after its length in four bytes.
import { writeSync } from "node:fs";
import { deserialize, serialize } from "node:v8";

/** @param {unknown} value anything that v8 can clone: Buffers, Maps and undefined included */
export function frame(value) {
  const body = serialize(value);
  const head = Buffer.alloc(4);
  head.writeUInt32LE(body.length);
  return Buffer.concat([head, body]);
}

/**
 * Writes a message at once, so that it arrives whatever the caller does next: loop for ever, or exit.
 * @param {number} fd a pipe that blocks
 */
export function writeFrame(fd, value) {
  const bytes = frame(value);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      // The reader is behind; waiting for it is what keeps ten thousand lines from being lost.
      if (error.code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/**
 * @param {(value: any) => void} receive gets every whole message
 * @returns {(chunk: Buffer) => void} takes the stream's chunks
 */
export function frameReader(receive) {
  let chunks = [];
  let size = 0;
  return (chunk) => {
    chunks.push(chunk);
    size += chunk.length;
    while (size >= 4) {
      if (chunks[0].length < 4) chunks = [Buffer.concat(chunks)];
      const length = chunks[0].readUInt32LE(0);
      if (size < 4 + length) return;
      const all = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
      const rest = all.subarray(4 + length);
      chunks = rest.length > 0 ? [rest] : [];
      size = rest.length;
      receive(deserialize(all.subarray(4, 4 + length)));
    }
  };
}
