// mocha's `spec` reporter, which also keeps the counts in a file: they survive a test that takes the process down with it.
const { writeFileSync } = require("node:fs");
const { reporters } = require("mocha");

module.exports = class CountingSpec extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const counts = { passed: 0, failed: 0, skipped: 0, running: undefined, done: false };
    const keep = (change) => {
      Object.assign(counts, change());
      writeFileSync(process.env.SRPO_TEST_COUNTS, JSON.stringify(counts));
    };
    runner.on("test", (test) => keep(() => ({ running: test.fullTitle() })));
    runner.on("pass", () => keep(() => ({ passed: counts.passed + 1 })));
    runner.on("fail", () => keep(() => ({ failed: counts.failed + 1 })));
    runner.on("pending", () => keep(() => ({ skipped: counts.skipped + 1 })));
    runner.on("end", () => {
      // `test/peers.ts` leaves it there, where a test that asks for such a program was loaded.
      const peers = JSON.parse(process.env.SRPO_TEST_PEERS_FOUND ?? "null");
      keep(() => ({ done: true, running: undefined, ...(peers === null ? {} : { peers }) }));
    });
  }
};
