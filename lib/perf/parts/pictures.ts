/** The lab's own pictures. */
import { measureDrawing } from "../pictures";
import type { BenchPart } from "./part";

const PICTURES = 1000;

export const pictures: BenchPart = {
  name: "pictures",
  title: "Pictures a second of processor time",
  about:
    "Drawn, compressed and written; read and made into patches; found on disk when asked for again.",
  measure: async ({ onProgress }) => {
    onProgress(`${PICTURES} pictures`);
    return {
      rows: [{ ...(await measureDrawing({ pictures: PICTURES })) }],
      figures: [],
      findings: [],
    };
  },
};
