import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { PLOTLY_MIME } from "../../lib/lab/figure";
import { createMonitor, formatSeconds } from "../../lib/lab/monitor";
import { fakeNotebook, fakeTerminal } from "./surfaces";

const charts = [{ title: "reward", metrics: ["reward"], bands: { reward: "reward_std" } }];

/** A monitor on a clock that only the test moves. */
function setUp(surface: Parameters<typeof createMonitor>[0]["surface"], total = 100) {
  const time = { now: 0 };
  const monitor = createMonitor({
    ...{ title: "GRPO", total, charts, surface },
    clock: () => time.now,
    // It grows by a megabyte a second.
    memory: () => 4e8 + time.now * 1e3,
  });
  return { monitor, time };
}

describe("monitor in a notebook", () => {
  it("draws at most four frames a second, and none when nothing changed", async () => {
    const { surface, sent } = fakeNotebook();
    const { monitor, time } = setUp(surface);
    // 100 steps of 20 ms: two seconds.
    for (let step = 1; step <= 100; step++) {
      monitor.update(step, { reward: step / 100, reward_std: 0.1 });
      time.now += 20;
    }
    assert.equal(sent.length, 8);
    time.now += 5000;
    monitor.note("");
    const drawn = sent.length;
    monitor.note("");
    time.now += 5000;
    monitor.note("");
    assert.equal(sent.length, drawn);
    await monitor.finish();
  });

  it("keeps to one display, shows progress and curves, and ends with the interactive form", async () => {
    const { surface, sent } = fakeNotebook();
    const { monitor, time } = setUp(surface);
    for (let step = 1; step <= 50; step++) {
      time.now += 500;
      monitor.update(step, { reward: step / 100, reward_std: 0.1, loss: 3 });
    }
    assert.equal(new Set(sent.map(({ id }) => id)).size, 1);
    assert.deepEqual(
      sent.map(({ update }) => update),
      sent.map((_, i) => i > 0),
    );
    const frame = sent[sent.length - 1].bundle;
    assert.match(
      frame["text/plain"],
      /^GRPO · 50 % · 50\/100 steps · 2\.00 steps\/s · 25s left · 25s elapsed · 0\.4 GB$/,
    );
    assert.match(String(frame["text/html"]), /width:50\.0%.*<svg .*<\/svg>/s);

    await monitor.finish();
    const last = sent[sent.length - 1];
    assert.equal(last.update, true);
    assert.ok(PLOTLY_MIME in last.bundle && "image/png" in last.bundle);
    assert.match(
      last.bundle["text/plain"],
      /^GRPO: finished, .* · at most 0\.4 GB\nreward\n {2}reward: 0\.01 → 0\.5 \[0\.4, 0\.6\], step 1 to 50$/,
    );
  });

  it("shows the last change even when the next step is long in coming", async () => {
    const { surface, sent } = fakeNotebook();
    const monitor = createMonitor({ title: "SFT", total: 9, surface });
    monitor.update(1, {});
    monitor.update(2, {});
    assert.equal(sent.length, 1);
    for (let tries = 0; sent.length < 2 && tries < 100; tries++) await wait(50);
    assert.match(sent[1].bundle["text/plain"], /2\/9 steps/);
  });

  it("counts the speed of this session only, and draws what was there before", async () => {
    const { surface, sent } = fakeNotebook();
    const { monitor, time } = setUp(surface);
    monitor.preload([60, 70, 80].map((step) => ({ step, reward: step / 100 })));
    time.now += 10_000;
    monitor.update(90, { reward: 0.9 });
    assert.match(
      sent[sent.length - 1].bundle["text/plain"],
      /90\/100 steps · 1\.00 steps\/s · 10s left/,
    );
    await monitor.stop("interrupted");
    assert.match(
      sent[sent.length - 1].bundle["text/plain"],
      /stopped \(interrupted\), .*reward: 0\.6 → 0\.9, step 60 to 90/s,
    );
  });

  it("shows the later values of a step that comes twice, and escapes notes", async () => {
    const { surface, sent } = fakeNotebook();
    const { monitor, time } = setUp(surface);
    monitor.update(1, { reward: 5 });
    time.now += 1000;
    monitor.update(1, { reward: 7 });
    assert.equal(sent.length, 2);
    time.now += 1000;
    monitor.note("<img src=x>");
    assert.doesNotMatch(String(sent[sent.length - 1].bundle["text/html"]), /<img/);
    await monitor.finish();
    assert.match(sent[sent.length - 1].bundle["text/plain"], /reward: 7 at step 1/);
  });

  it("finishes before its first step", async () => {
    const { surface, sent } = fakeNotebook();
    const { monitor } = setUp(surface);
    await monitor.stop("nothing to do");
    assert.match(sent[0].bundle["text/plain"], /0\/100 steps · 0\.0s elapsed\nreward$/);
  });
});

describe("what is wrong", () => {
  const cut = { kind: "truncation", sentence: "30 % were cut <off>." };

  it("stays in sight in a notebook, the last sentence of each kind", () => {
    const { surface, sent } = fakeNotebook();
    const { monitor, time } = setUp(surface);
    const html = (): string => String(sent[sent.length - 1].bundle["text/html"]);
    monitor.update(1, {}, [cut]);
    assert.match(html(), />⚠ step 1: 30 % were cut &#60;off&#62;\.</);
    for (const step of [2, 3]) {
      time.now += 1000;
      monitor.update(step, {}, step === 3 ? [{ ...cut, sentence: "40 %." }] : []);
    }
    assert.equal(html().match(/⚠/g)?.length, 1);
    assert.match(html(), />⚠ step 3 \(2 steps so far\): 40 %\.</);
  });

  it("is said in a terminal on a line of its own, once", async () => {
    const { surface, progress } = fakeTerminal(true);
    const { monitor, time } = setUp(surface);
    for (const step of [1, 2]) {
      monitor.update(step, {}, [cut]);
      time.now += 1000;
    }
    const lines = progress.join("").split("\n");
    assert.equal(lines[1], "⚠ step 1: 30 % were cut <off>.");
    assert.equal(lines.filter((line) => line.includes("⚠")).length, 1);
    await monitor.finish();
    assert.match(progress[progress.length - 1], /⚠ step 2 \(2 steps so far\)/);
  });
});

describe("monitor in a terminal", () => {
  it("draws over its line, clears what was longer, and leaves the last numbers", async () => {
    const { surface, out, progress } = fakeTerminal(true);
    const { monitor, time } = setUp(surface);
    monitor.note("a long note that goes away again");
    time.now += 1000;
    monitor.note("");
    assert.match(progress[0], /^\rGRPO · .*goes away again$/);
    assert.ok(progress[1].length >= progress[0].length - 1);
    time.now += 1000;
    monitor.update(50, { reward: 0.12345 });
    assert.match(progress[2], /50\/100 steps .*· reward 0\.123 *$/);
    await monitor.finish();
    assert.equal(progress[3], "\n");
    assert.match(progress[4], /^GRPO: finished.*\nreward\n/s);
    assert.deepEqual(out, []);
  });

  it("writes a line every ten seconds into a log", async () => {
    const { surface, progress } = fakeTerminal(false);
    const { monitor, time } = setUp(surface);
    for (let step = 1; step <= 60; step++) {
      monitor.update(step, { reward: 0.5 });
      time.now += 500;
    }
    assert.equal(progress.length, 3);
    for (const line of progress) assert.match(line, /^GRPO · [^\r\n]*\n$/);
    await monitor.finish();
  });
});

describe("formatSeconds", () => {
  it("gives two units and rounds over their edges", () => {
    assert.deepEqual([0, 9.94, 59.4, 59.6, 192, 3599.7, 7500].map(formatSeconds), [
      "0.0s",
      "9.9s",
      "59s",
      "1m00s",
      "3m12s",
      "1h00m",
      "2h05m",
    ]);
  });
});
