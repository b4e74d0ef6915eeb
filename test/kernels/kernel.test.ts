import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { needJupyter, openSession, plain, root, type Session } from "./jupyter";

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("kernels/kernel", () => {
  let session: Session;

  before(async function () {
    needJupyter(this);
    session = await openSession();
  });
  after(() => session?.close());

  /** The last value of a cell that must succeed, as text. */
  async function value(code: string): Promise<unknown> {
    const { status, result, error } = await session.run(code);
    assert.equal(status, "ok", plain(error));
    return result?.["text/plain"];
  }

  describe("cells", () => {
    it("run at the clone's root, with what they print apart from what they are worth", async () => {
      const { stdout, stderr, result } = await session.run(
        'console.log("out"); console.error("err"); process.cwd()',
      );
      assert.deepEqual([stdout, stderr], ["out\n", "err\n"]);
      assert.equal(result?.["text/plain"], `'${root}'`);
      assert.equal(await value("undefined"), undefined);
      assert.equal(await value("const silent = 1;"), undefined);
    });

    it("share variables, also with functions that other cells declared", async () => {
      await value("let count = 1; function next() { return ++count; }");
      assert.equal(await value("count = 10; next()"), "11");
      assert.equal(await value("count"), "11");
    });

    it("declare names again as something else", async () => {
      await value("const again = 1; class Kind { a = 1 }");
      await value('const again = "text"; class Kind { b = 2 }');
      assert.equal(await value("again.toUpperCase() + new Kind().b"), "'TEXT2'");
    });

    it("keep what a cell made before it failed, types included", async () => {
      const failed = await session.run(
        'interface Made { x: number }\nconst made: Made = { x: 41 };\nthrow new Error("no luck");\nconst late = 1;',
      );
      assert.equal(failed.status, "error");
      assert.equal(await value("made.x += 1; const other: Made = made; other.x"), "42");
      assert.match(plain((await session.run("late")).error), /TS2304: Cannot find name 'late'/);
    });

    it("destructure, loop with await, and name functions as JavaScript does", async () => {
      assert.equal(
        await value(`
          const { a, list: [first = 7, ...others], ...rest } = { a: 1, list: [undefined, 2, 3], b: 4 };
          const arrow = () => 0;
          let sum = 0;
          for await (const n of [Promise.resolve(1), 2]) sum += n;
          let into = 0;
          ({ a: into } = { a });
          enum Level { Low, High }
          JSON.stringify([a, first, others, rest, arrow.name, sum, into, { sum }, Level[1]])`),
        `'[1,7,[2,3],{"b":4},"arrow",3,1,{"sum":3},"High"]'`,
      );
      assert.equal(
        await value("const shadow = ((a: number) => ({ a, sum }))(5); JSON.stringify(shadow)"),
        `'{"a":5,"sum":3}'`,
      );
    });

    it("give `var` to the whole cell, and to later ones, from blocks and loops as well", async () => {
      assert.equal(
        await value(`
          for (var i = 0, unset; i < 3; i++) { var last = i * 2; var { deep = 5, o: { p } } = { o: { p: i } } as any; }
          if (i > 0) var alone = 1; else var never = 2;
          for (var word of ["a", "b"]); for (var key in { k: 1 });
          for (var [x, y] of [[1, 2]]) var inner;
          const apart = () => { var i = 9; for (var last = 7; false;); return i + last; };
          JSON.stringify([i, last, deep, p, alone, never, word, key, x, y, apart(), unset, inner])`),
        `'[3,4,5,2,1,null,"b","k",1,2,16,null,null]'`,
      );
      assert.equal(await value("i + last + word"), "'7b'");
    });

    it("are checked, with every message at its line", async () => {
      const { status, error } = await session.run('let n: number = 1;\nn = "text";\nmissing();');
      assert.equal(status, "error");
      const text = plain(error);
      assert.match(text, /TS2322: Type 'string' is not assignable to type 'number'/);
      assert.match(text, /> 2 \| n = "text";\n +\| \^/);
      assert.match(text, /> 3 \| missing\(\);/);
    });

    it("say to people from Python what does it here", async () => {
      for (const [code, instead] of [
        ["print(1)", /console\.log/],
        ["%time 1 + 1", /console\.time/],
        ["!ls -l", /execSync/],
        ["help(Math)", /question mark/],
      ] as const) {
        const { error } = await session.run(code);
        assert.match(plain(error), /^TS\d+: [^]*> 1 \|/);
        assert.match(plain(error), instead);
      }
      assert.equal(await value("!true"), "false");
    });

    it("are strict where they ask for it", async () => {
      const loose = "let loose: string = null as any as string | null; loose";
      assert.equal(await value(loose), "null");
      const strict = await session.run(`// @strict\n${loose}`);
      assert.match(plain(strict.error), /TS2322/);
      assert.equal(await value(`// @strict off\n${loose}`), "null");
    });
  });

  describe("errors", () => {
    it("show the cell's line with a caret, the user's frames, and none of the kernel's", async () => {
      await value("function inner(x: any) {\n  // Nothing is here.\n  return x.y.z;\n}");
      const { error } = await session.run("const unused = 1;\ninner({});");
      assert.equal(error?.ename, "TypeError");
      assert.match(error.evalue, /reading 'z'/);
      const text = plain(error);
      assert.match(text, /> 3 \| {3}return x\.y\.z;\n +\| {14}\^/);
      assert.match(text, /at cell \d+:2:\d+/);
      assert.doesNotMatch(text, /kernels\/|node:|vm\.|\$cells/);
    });

    it("show causes, added fields, and what is no error", async () => {
      const { error } = await session.run(
        'throw new Error("outer", { cause: Object.assign(new RangeError("inner"), { code: "E7" }) });',
      );
      assert.match(plain(error), /Error: outer[^]*caused by\nRangeError: inner[^]*code: 'E7'/);
      const thrown = await session.run('throw { not: "an error" };');
      assert.match(thrown.error?.evalue ?? "", /not: 'an error'/);
    });

    it("of the library point into its sources", async () => {
      const { error } = await session.run(
        'import { fault } from "../lib/engine/errors";\nthrow fault("here", "all is wrong");',
      );
      assert.match(plain(error), /lib\/engine\/errors\.ts:\d+:\d+/);
    });

    it("of callbacks that no cell waits for are printed, and end nothing", async () => {
      const { stderr } = await session.run(
        'setTimeout(() => { throw new Error("loose end"); }, 10); await new Promise((r) => setTimeout(r, 300));',
      );
      assert.match(stderr, /loose end/);
      assert.equal(await value("1 + 1"), "2");
    });

    it("refuse the cells that wait behind them", async () => {
      const cells = ["await 0; 1", 'await 0; throw new Error("stop");', "2", "3"];
      assert.deepEqual(await session.queue(cells), ["ok", "error", "aborted", "aborted"]);
      assert.deepEqual(await session.queue(["4", "5"]), ["ok", "ok"]);
    });
  });

  describe("requests", () => {
    it("are answered while a cell runs", async () => {
      const { replies } = await session.queueAnd(
        ["await new Promise((r) => setTimeout(r, 500)); 1"],
        "comm_info_request",
      );
      assert.deepEqual(replies, ["comm_info_reply", "execute_reply"]);
      const info = await session.request("comm_info_request", {});
      assert.deepEqual(info, {
        type: "comm_info_reply",
        content: { status: "ok", comms: {} },
      });
      const told = await session.request("kernel_info_request", {}, "control");
      assert.equal(told.content.protocol_version, "5.4");
    });

    it("for input go to the person at the notebook", async () => {
      const { stdout } = await session.run(
        'const name = await input("Name? "); console.log(`Hello ${name}`, await input());',
        { answers: ["Ada", "again"] },
      );
      assert.equal(stdout, "Hello Ada again\n");
      const { error } = await session.run('await input("Anybody?")');
      assert.match(error?.evalue ?? "", /allow_stdin/);
    });

    it("for completions and documentation know the library and earlier cells", async () => {
      await value('import { loadSpec } from "srpo-lab"; const spec = loadSpec();');
      const complete = async (code: string) => {
        const cursor_pos = [...code].length;
        return (await session.request("complete_request", { code, cursor_pos })).content;
      };
      const completed = await complete("// é😀\nspec.grp");
      assert.deepEqual(completed.matches, ["grpo"]);
      // Jupyter counts characters, not UTF-16 units.
      assert.deepEqual([completed.cursor_start, completed.cursor_end], [11, 14]);
      assert.deepEqual((await complete('import {} from "srpo-')).matches, ["srpo-lab"]);
      assert.deepEqual((await complete('import {} from "../lib/train/advant')).matches, [
        "advantages",
      ]);
      const hover = await session.request("inspect_request", {
        code: "loadSpec()",
        cursor_pos: 3,
        detail_level: 0,
      });
      const { data } = hover.content as { data: Record<string, string> };
      assert.match(data["text/plain"], /loadSpec\(.*\): Spec[^]*A preset with changes/);
      assert.match(data["text/markdown"], /A preset with changes[^]*\*@throws\*/);
    });
  });

  describe("channels to widgets", () => {
    it("are opened by a page, heard while no cell runs, and closed", async () => {
      await value(
        `comms.register("echo", (comm, data) => {
           comm.send({ hello: data.name });
           comm.onMessage((message) => comm.send({ twice: 2 * message.value }));
         });`,
      );
      const id = { comm_id: "c1" };
      const opened = { ...id, target_name: "echo", data: { name: "page" } };
      const answer = { buffers: [], answers: true };
      assert.deepEqual(await session.comm("comm_open", opened, 1), [
        { type: "comm_msg", content: { ...id, data: { hello: "page" } }, ...answer },
      ]);
      assert.deepEqual(await session.comm("comm_msg", { ...id, data: { value: 21 } }, 1), [
        { type: "comm_msg", content: { ...id, data: { twice: 42 } }, ...answer },
      ]);
      const known = await session.request("comm_info_request", { target_name: "echo" });
      assert.deepEqual(known.content.comms, { c1: { target_name: "echo" } });
      const refused = { comm_id: "c2", target_name: "nobody", data: {} };
      assert.deepEqual(await session.comm("comm_open", refused, 1), [
        { type: "comm_close", content: { comm_id: "c2", data: {} }, ...answer },
      ]);
    });

    it("are opened by a cell", async () => {
      const { displays } = await session.run(
        'const channel = comms.open("page", { v: 1 }, { id: "c3" }); channel.send({ v: 2 }); channel.close();',
      );
      const types = displays.map(({ type }) => type);
      assert.deepEqual(types, ["comm_open", "comm_msg", "comm_close"]);
    });
  });

  it("ends when Jupyter is killed, and takes the process that runs the cells with it", async function () {
    if (!existsSync("/proc")) this.skip();
    const orphan = await openSession();
    const { result } = await orphan.run("process.pid");
    const pids = [orphan.pid, Number(result?.["text/plain"])];
    const alive = (): number[] => pids.filter((pid) => existsSync(join("/proc", String(pid))));
    assert.deepEqual(alive(), pids);
    orphan.kill();
    for (let tries = 0; tries < 100 && alive().length > 0; tries++) await sleep(100);
    assert.deepEqual(alive(), []);
  });
});
