/**
 * The gold answer as one text. OpenRLHF and EasyR1 hand a reward the label and nothing else of the record, so what the judge
 * must know beside the answer is packed into it. A plain answer is a label too.
 */
import { fault } from "../engine/errors";
import { isRow, type Row } from "../engine/rows";
import type { Gold } from "../reflection/equality";

/** Every packed label begins so, and no answer of a benchmark does. */
const PACKED = '{"gold":';

/** `{"gold":"61","question_type":"number"}`, with the choices where there are some. */
export function packGold({ answer, answerType, choices }: Gold): string {
  return JSON.stringify({
    gold: answer,
    question_type: answerType,
    ...(choices === undefined ? {} : { choices }),
  });
}

/** The fields of a reward row that a label stands for. @throws LabError where it begins as a packed one and is none */
export function unpackGold(label: string): Row {
  if (!label.startsWith(PACKED)) return { gold: label };
  let fields: unknown;
  try {
    fields = JSON.parse(label);
  } catch {
    fields = null;
  }
  if (isRow(fields)) return fields;
  throw fault("unpackGold", "the label is a packed gold answer that was cut", {
    got: label,
    expected: '{"gold":…,"question_type":…}, or a plain answer',
    try: "export the data again",
  });
}
