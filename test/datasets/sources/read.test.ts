import assert from "node:assert/strict";
import { mkdirSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { readBenchmarks } from "../../../datasets/sources/contamination";
import { locatePicture, miniature, sameMiniature } from "../../../datasets/sources/images";
import { readJsonRecords } from "../../../datasets/sources/json-records";
import { allocate } from "../../../datasets/sources/sampling";
import { normalizeQuestion } from "../../../datasets/sources/text";
import { Interrupted } from "../../../lib/engine/interrupt";
import { temporaryFolder } from "../../policy/fixture";
import { openChatServer, replyBody, sendJson } from "../../rollout/openai/server";
import { drawPicture, jsonl, readAll, writeText } from "./files";
import {
  gradeOrTeach,
  partsOn,
  peakOf,
  servedPartsOn,
  writeAttempts,
  writeLlavaCot,
} from "./memory";

describe("readJsonRecords", function () {
  this.timeout(60_000);
  const root = temporaryFolder();
  const read = async (text: string): Promise<unknown[]> => {
    const out: unknown[] = [];
    for await (const result of readJsonRecords(writeText(join(root, "x.json"), text))) {
      out.push("row" in result ? result.row : result.error);
    }
    return out;
  };
  /** What makes a splitter stumble: brackets, quotes and commas in texts, escapes, depth, two-byte signs. */
  const rows = [
    { a: 'brackets ]}[{ and , "quotes" \\ and \\" in a text' },
    { b: { c: [1, [2, { d: "é漢😀\u2028" }]] }, e: "\\" },
    { f: "" },
    { g: null, h: -1.5e3 },
  ];

  it("splits arrays, indented or not, as JSON.parse reads them", async () => {
    assert.deepEqual(await read(JSON.stringify(rows)), rows);
    assert.deepEqual(await read("\ufeff  " + JSON.stringify(rows, null, 2) + "\n\n"), rows);
    assert.deepEqual(await read("[]"), []);
    assert.deepEqual(await read(" [ \n ] "), []);
  });

  it("splits records that lie across the pieces in which a file is read", async () => {
    const many = Array.from({ length: 700 }, (_unused, i) => ({
      i,
      text: `漢"]},${"x".repeat(i * 2)}`,
    }));
    assert.deepEqual(await read(JSON.stringify(many)), many);
    assert.deepEqual(await read(jsonl(many)), many);
  });

  it("reads an object by id, and lines with blanks and Windows ends between", async () => {
    const byId = { 7: rows[0], x: { id: "own", ...rows[1] } };
    const expected = [
      { id: "7", ...rows[0] },
      { id: "own", ...rows[1] },
    ];
    assert.deepEqual(await read(JSON.stringify(byId)), expected);
    assert.deepEqual(await read(JSON.stringify(byId, null, 1)), expected);
    assert.deepEqual(
      await read(`${JSON.stringify(rows[0])}\r\n\n${JSON.stringify(rows[1])}`),
      rows.slice(0, 2),
    );
    assert.deepEqual(await read(JSON.stringify({ messages: [{}], images: [] })), [
      { messages: [{}], images: [] },
    ]);
  });

  it("gives an error in a bad record's place, and loses no other", async () => {
    assert.deepEqual(await read('[{"a":1},{"b":oops},3,{"c":2}]'), [
      { a: 1 },
      'not JSON: {"b":oops}',
      "not an object: 3",
      { c: 2 },
    ]);
    assert.deepEqual(await read('{"a":1}\n{"b":\n[1]\n{"c":2}\n'), [
      { a: 1 },
      'not JSON: {"b":',
      "not an object: [1]",
      { c: 2 },
    ]);
    assert.deepEqual(await read('[{"a":1},{"b":2'), [{ a: 1 }, "the file ends within a record"]);
  });

  it("refuses what is no JSON at all", async () => {
    await assert.rejects(read("id,question\n1,2"), /neither JSON nor JSON Lines/);
    await assert.rejects(async () => {
      for await (const _ of readJsonRecords(join(root, "none.json"))) assert.fail();
    }, /no file at/);
  });
});

describe("locatePicture", () => {
  const root = temporaryFolder();
  const pictures = join(root, "pictures");
  before(async () => {
    await drawPicture(join(pictures, "set/a b.png"), 1);
    await drawPicture(join(root, "secret.png"), 2);
    symlinkSync(join(root, "secret.png"), join(pictures, "link.png"));
    symlinkSync(root, join(pictures, "up"));
    symlinkSync(join(pictures, "set"), join(pictures, "alias"));
    mkdirSync(join(pictures, "folder.png"));
    mkdirSync(join(root, "pictures-2"));
    await drawPicture(join(root, "pictures-2/a.png"), 3);
  });

  it("follows every spelling of a path inside the root", () => {
    const inside = join(pictures, "set/a b.png");
    for (const given of [
      "set/a b.png",
      "./set/../set/a b.png",
      inside,
      `file://${encodeURI(inside)}`,
      " set/a b.png ",
    ]) {
      assert.deepEqual(locatePicture(pictures, given), { path: inside });
    }
    assert.deepEqual(locatePicture(pictures, "alias/a b.png"), {
      path: join(pictures, "alias/a b.png"),
    });
  });

  it("never leaves the root: not by .., absolute paths, addresses, links or a folder whose name begins alike", () => {
    for (const given of [
      ...[
        "../secret.png",
        "set/../../secret.png",
        join(root, "secret.png"),
        "/etc/passwd",
        "link.png",
      ],
      ...[`file://${root}/secret.png`, "up/secret.png", "../pictures-2/a.png", "..", "", "."],
    ]) {
      const found = locatePicture(pictures, given);
      assert.ok(
        "fault" in found && found.fault === "outside",
        `${given}: ${JSON.stringify(found)}`,
      );
    }
  });

  it("takes a folder that is named twice over for once, where nothing lies at the whole path", async () => {
    const inside = join(pictures, "set/a b.png");
    for (const given of [
      ...["set/set/a b.png", "pictures/set/a b.png", "set/../set/set/a b.png"],
      join(pictures, pictures, "set/a b.png"),
    ]) {
      assert.deepEqual(locatePicture(pictures, given), { path: inside }, given);
    }
    await drawPicture(join(pictures, "twin/b.png"), 4);
    await drawPicture(join(pictures, "twin/twin/b.png"), 5);
    const both = join(pictures, "twin/twin/b.png");
    assert.deepEqual(locatePicture(pictures, "twin/twin/b.png"), { path: both });
    for (const [given, fault] of [
      ["set/set/none.png", "missing"],
      ["set/a b.png/a b.png", "missing"],
      ["pictures/link.png", "outside"],
      ["up/up/secret.png", "outside"],
      ["../pictures/set/a b.png/../../../secret.png", "outside"],
    ]) {
      const found = locatePicture(pictures, given);
      assert.ok("fault" in found && found.fault === fault, `${given}: ${JSON.stringify(found)}`);
    }
  });

  it("calls missing what is no file", () => {
    for (const given of [
      "none.png",
      "folder.png",
      "https://example.org/a.png",
      "data:image/png;base64,AA",
      "a\0b.png",
      "x".repeat(5000),
    ]) {
      const found = locatePicture(pictures, given);
      assert.ok("fault" in found && found.fault === "missing", given.slice(0, 40));
    }
  });
});

describe("allocate", () => {
  it("spreads evenly as far as strata reach", () => {
    assert.deepEqual(allocate([100, 2, 50], 12, "even"), [5, 2, 5]);
    assert.deepEqual(allocate([3, 3, 3], 2, "even"), [1, 1, 0]);
  });

  it("keeps the mix, rounded by largest remainders, and leaves no stratum out", () => {
    assert.deepEqual(allocate([500, 300, 200], 10, "proportional"), [5, 3, 2]);
    assert.deepEqual(allocate([10, 10, 10], 10, "proportional"), [4, 3, 3]);
    assert.deepEqual(allocate([998, 1, 1], 10, "proportional"), [8, 1, 1]);
    assert.deepEqual(allocate([4, 0, 6], 99, "proportional"), [4, 0, 6]);
  });

  it("adds up and never takes more than there is, whatever the sizes", () => {
    for (const balance of ["even", "proportional"] as const) {
      for (let count = 0; count <= 40; count++) {
        const sizes = [count % 7, 1, 0, (count * 13) % 17, 5];
        const shares = allocate(sizes, count, balance);
        const total = sizes.reduce((sum, size) => sum + size, 0);
        assert.equal(
          shares.reduce((sum, share) => sum + share, 0),
          Math.min(count, total),
        );
        assert.ok(
          shares.every((share, i) => share >= 0 && share <= sizes[i]),
          `${sizes} ${shares}`,
        );
      }
    }
  });
});

describe("readSources", function () {
  this.timeout(60_000);
  const root = temporaryFolder();
  const row = (i: number, more: Record<string, unknown> = {}) => ({
    ...{ id: i, question: `How long is side ${i}?`, answer: i, image: `p${i % 10}.png` },
    ...{ subject: i % 4 === 0 ? "geometry" : "algebra", ...more },
  });
  const records = Array.from({ length: 80 }, (_unused, i) => row(i));
  const write = (name: string, rows: readonly unknown[]): string =>
    writeText(join(root, name), jsonl(rows));
  before(async () => {
    for (let i = 0; i < 10; i++) await drawPicture(join(root, `p${i}.png`), i);
    await sharp(join(root, "p3.png"))
      .resize(160)
      .jpeg({ quality: 75 })
      .toFile(join(root, "copy-of-p3.jpg"));
    await sharp(join(root, "p1.png")).toFile(join(root, "cut.png"));
    truncateSync(join(root, "cut.png"), statSync(join(root, "cut.png")).size >> 1);
    writeFileSync(join(root, "text.png"), "no picture");
  });

  it("takes a stratified sample that the seed decides and the records' order does not", async () => {
    const path = write("all.jsonl", records);
    const backwards = write("backwards.jsonl", [...records].reverse());
    const ids = async (file: string, options = {}): Promise<string[]> =>
      (await readAll("records", file, { limit: 20, ...options })).problems
        .map(({ id }) => id)
        .sort();
    const { report, problems } = await readAll("records", path, { limit: 20 });
    assert.deepEqual(
      report.strata.map(({ subject, available, kept }) => [subject, available, kept]),
      [
        ["geometry", 20, 5],
        ["algebra", 60, 15],
      ],
    );
    assert.deepEqual(
      problems.map(({ id }) => Number(id.slice(8))),
      problems.map(({ id }) => Number(id.slice(8))).sort((a, b) => a - b),
    );
    assert.deepEqual(await ids(path), await ids(backwards));
    assert.notDeepEqual(await ids(path), await ids(path, { seed: 2 }));
    const larger = await ids(path, { limit: 40 });
    assert.ok((await ids(path)).every((id) => larger.includes(id)));
    const even = await readAll("records", path, { limit: 20, balance: "even" });
    assert.deepEqual(
      even.report.strata.map(({ kept }) => kept),
      [10, 10],
    );
  });

  it("counts and lists what cannot be used, and puts others in its place", async () => {
    const path = write("bad.jsonl", [
      ...records.slice(0, 5),
      row(5, { image: "none.png" }),
      row(6, { image: "cut.png" }),
      row(7, { image: "text.png" }),
      row(8, { image: "../p1.png" }),
      row(9, { image: undefined }),
      row(10, { answer: "" }),
      { ...row(1), id: "again", question: "  How long is side 1 ?" },
    ]);
    const { report, problems, dropped } = await readAll("records", path, { limit: 9 });
    assert.deepEqual(
      problems.map(({ id }) => id),
      [0, 1, 2, 3, 4].map((i) => `records/${i}`),
    );
    assert.deepEqual(report.sources[0].dropped, {
      missing: 2,
      outside: 1,
      unreadable: 1,
      duplicate: 1,
      corrupt: 2,
    });
    assert.deepEqual(
      dropped
        .map(({ record, reason }) => [record, reason])
        .sort((a, b) => Number(a[0]) - Number(b[0])),
      [
        [6, "missing"],
        [7, "corrupt"],
        [8, "corrupt"],
        [9, "outside"],
        [10, "missing"],
        [11, "unreadable"],
        [12, "duplicate"],
      ],
    );
    assert.deepEqual(report.drops, dropped);
    assert.equal(report.sources[0].records, 12);
  });

  it("knows duplicates by picture and question: either alone is none", async () => {
    await sharp(join(root, "p0.png"))
      .png({ compressionLevel: 1 })
      .toFile(join(root, "other-bytes.png"));
    writeFileSync(join(root, "same-bytes.png"), await sharp(join(root, "p5.png")).png().toBuffer());
    writeFileSync(
      join(root, "same-bytes-2.png"),
      await sharp(join(root, "p5.png")).png().toBuffer(),
    );
    const path = write("twice.jsonl", [
      row(1, { image: "same-bytes.png" }),
      row(1, { id: "x", image: "same-bytes-2.png" }),
      row(1, { id: "y", image: "p2.png" }),
      row(2, { image: "same-bytes.png" }),
    ]);
    const { problems } = await readAll("records", path);
    assert.deepEqual(
      problems.map(({ id }) => id),
      ["records/1", "records/y", "records/2"],
    );
  });

  it("leaves out what a benchmark has: its picture in another size and format, or its question", async () => {
    const long =
      "A train leaves the station at noon and travels 60 km in the first hour and 45 km in each of the two hours that follow. How far is it then?";
    const benchmark = writeText(
      join(root, "bench/items.json"),
      JSON.stringify({
        pictured: { question: "Another question?", answer: 1, image: "p3.jpg" },
        texted: {
          question: `Hint: Please answer the question requiring an integer answer at the end.\nQuestion: ${long.toUpperCase()}`,
          answer: 150,
          image: "p9.png",
        },
        short: {
          question: "What is the value of the largest bar in it?",
          answer: 3,
          image: "p9.png",
        },
        absent: {
          question: "How many squares does the pattern have?",
          answer: 3,
          image: "absent.png",
        },
      }),
    );
    await sharp(join(root, "copy-of-p3.jpg")).toFile(join(root, "bench/p3.jpg"));
    await drawPicture(join(root, "bench/p9.png"), "only there");
    const path = write("train.jsonl", [
      row(3, { id: "same picture" }),
      row(4, { id: "same long question", question: long }),
      row(5, {
        id: "same short question, other picture",
        question: "What is the value of the largest bar in it?",
      }),
      row(6, {
        id: "question whose picture is not at hand",
        question: "How many squares does the pattern have?",
      }),
      row(7, { id: "clean" }),
    ]);
    const { problems, dropped, report } = await readAll("records", path, {
      benchmarks: [benchmark],
    });
    assert.deepEqual(
      problems.map(({ id }) => id.slice(8)),
      ["same short question, other picture", "clean"],
    );
    assert.deepEqual(dropped.map(({ detail }) => detail).sort(), [
      "the picture of items.json pictured",
      "the question of items.json absent",
      "the question of items.json texted",
    ]);
    assert.deepEqual(report.benchmarks, [{ name: "items.json", items: 4, pictures: 3 }]);
    await assert.rejects(readBenchmarks([write("empty.jsonl", [{ a: 1 }])]), /holds no items/);
  });

  it("says what is missing before it reads, and stops when it is told to", async () => {
    const path = write("all.jsonl", records);
    await assert.rejects(
      readAll("records", path, { images: join(root, "nowhere") }),
      /root is no folder/,
    );
    await assert.rejects(readAll("records", join(root, "no.jsonl")), /no file at/);
    const signal = AbortSignal.abort();
    await assert.rejects(readAll("records", path, { signal }), Interrupted);
  });
});

describe("memory", function () {
  this.timeout(300_000);
  const root = temporaryFolder();

  it("of reading does not grow with the records' length, and stays far below 300 MB", async () => {
    const peaks: number[] = [];
    for (const words of [10, 400]) {
      const { source, path, megabytes } = await writeLlavaCot(root, 6000, { words, pictures: 50 });
      const read = ["data", "read", "--source", source, "--path", path, "--limit", "100"];
      const { rows, megabytes: peak } = await peakOf(read, root);
      assert.equal(rows, 100);
      assert.ok(words === 10 || megabytes > 40, `a file of ${megabytes} MB`);
      peaks.push(peak);
    }
    assert.ok(peaks[1] < 220 && peaks[1] - peaks[0] < 40, `${peaks.join(" and ")} MB`);
  });

  it("of the parts after it does not hold their rows", async () => {
    const peaks: Record<string, number[]> = { select: [], reflect: [], export: [] };
    for (const count of [500, 8000]) {
      const attempts = await writeAttempts(root, count, { words: 2500 });
      for (const [name, args] of Object.entries(partsOn(attempts, root))) {
        peaks[name].push((await peakOf(args, root)).megabytes);
      }
    }
    // The larger file has 90 MB more.
    for (const [name, [few, many]] of Object.entries(peaks)) {
      assert.ok(many - few < 60, `${name}: ${few} and ${many} MB`);
    }
  });

  it("of judging and teaching over a server does not hold attempts, requests or replies", async () => {
    const server = await openChatServer((asked, response) =>
      sendJson(response, 200, replyBody(gradeOrTeach(asked))),
    );
    after(() => server.close());
    const peaks: Record<string, number[]> = { judge: [], reflect: [] };
    for (const count of [150, 800]) {
      const attempts = await writeAttempts(root, count, { words: 12_000 });
      for (const [name, args] of Object.entries(servedPartsOn(attempts, root, server.baseUrl))) {
        peaks[name].push((await peakOf(args, root)).megabytes);
      }
    }
    // The larger file has 50 MB more, and a request holds each of its rows twice.
    for (const [name, [few, many]] of Object.entries(peaks)) {
      assert.ok(many - few < 40 && many < 220, `${name}: ${few} and ${many} MB`);
    }
  });
});

describe("normalizeQuestion and miniature", () => {
  const root = temporaryFolder();

  it("make one of two spellings, and keep two problems apart", () => {
    const same = (a: string, b: string): boolean => normalizeQuestion(a) === normalizeQuestion(b);
    assert.ok(same("<image>\nFind  $x$, please!", "find x please"));
    assert.ok(same("Question: How many?\nChoices:\n(A) 1\n(B) 2", "How many?"));
    assert.ok(!same("What is 3+4?", "What is 3-4?"));
    assert.ok(!same("What is 34?", "What is 3.4?"));
  });

  it("tell one picture from another", async () => {
    const [a, b] = [join(root, "a.png"), join(root, "b.png")];
    await drawPicture(a, "a");
    await drawPicture(b, "b");
    const small = await miniature(await sharp(a).resize(120).webp().toBuffer());
    assert.ok(sameMiniature(await miniature(a), small));
    assert.ok(!sameMiniature(await miniature(b), small));
  });
});
