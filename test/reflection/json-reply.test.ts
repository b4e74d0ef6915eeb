import assert from "node:assert/strict";
import { readReply, schemaOf } from "../../lib/reflection/json-reply";

const form = {
  text: { type: "string", description: "a text" },
  grade: { type: "integer", description: "a grade", minimum: 1, maximum: 5 },
} as const;

describe("reflection/json-reply", () => {
  it("writes the form as a strict schema", () => {
    const schema = schemaOf(form);
    assert.deepEqual([schema.required, schema.additionalProperties], [["text", "grade"], false]);
  });

  it("reads an object alone, in a fence or among words", () => {
    const value = { text: "a {b} c", grade: 3 };
    const json = JSON.stringify(value, null, 1);
    for (const reply of [json, "```json\n" + json + "\n```", `Here it is: ${json} Good luck.`]) {
      assert.deepEqual(readReply(reply, form), { value });
    }
    assert.deepEqual(readReply('{"text": 7, "grade": "4", "more": []}', form), {
      value: { text: "7", grade: 4 },
    });
  });

  it("keeps LaTeX whose backslashes were not doubled, and JSON's own escapes", () => {
    const cases: [string, string][] = [
      [String.raw`\frac{1}{2}\times\theta`, String.raw`\frac{1}{2}\times\theta`],
      [String.raw`\\frac{1}{2} \\times`, String.raw`\frac{1}{2} \times`],
      [
        String.raw`\sqrt{2}, \(x\), \beta, \neq, \rho, 20\%`,
        String.raw`\sqrt{2}, \(x\), \beta, \neq, \rho, 20\%`,
      ],
      [String.raw`one\ntwo\tthree \"four\" \u00b2 \/`, 'one\ntwo\tthree "four" ² /'],
      [String.raw`A\nNext line. \u{x}`, "A\nNext line. \\u{x}"],
    ];
    for (const [written, meant] of cases) {
      const reply = `{"text": "${written}", "grade": 1}`;
      assert.deepEqual(readReply(reply, form), { value: { text: meant, grade: 1 } }, written);
    }
  });

  it("says what is wrong with any other reply", () => {
    const cases: [string, RegExp][] = [
      ["", /not one JSON object/],
      ["I cannot.", /not one JSON object/],
      ['{"text": "a", "grade"', /not one JSON object/],
      ["[1]", /not one JSON object/],
      ['{"grade": 1}', /"text" is missing/],
      ['{"text": "  ", "grade": 1}', /"text" is missing/],
      ['{"text": ["a"], "grade": 1}', /"text" is missing or is no text/],
      ['{"text": "a", "grade": 6}', /"grade" is no whole number from 1 to 5/],
      ['{"text": "a", "grade": 2.5}', /"grade"/],
      ['{"text": "a", "grade": null}', /"grade"/],
    ];
    for (const [reply, fault] of cases) {
      const read = readReply(reply, form);
      assert.match("fault" in read ? read.fault : "taken", fault, reply);
    }
  });
});
