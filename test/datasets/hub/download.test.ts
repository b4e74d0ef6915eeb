import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { srpo } from "../../cli/srpo";
import { downloadFiles, type DownloadOptions } from "../../../datasets/hub/download";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const CONTENT = randomBytes(300_000);
const sha256 = createHash("sha256").update(CONTENT).digest("hex");
const blob = createHash("sha1").update(`blob ${CONTENT.length}\0`).update(CONTENT).digest("hex");
const LARGE = { rfilename: "data/test-0.parquet", size: CONTENT.length, lfs: { sha256 } };
const SMALL = { rfilename: "data/test 1.json", size: CONTENT.length, blobId: blob };

type Behaviour = (request: IncomingMessage, response: ServerResponse, number: number) => void;

/** Sends what was asked for, as the hub does. */
const honest: Behaviour = ({ headers }, response) => {
  const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
  const range = `bytes ${start}-${CONTENT.length - 1}/${CONTENT.length}`;
  response
    .writeHead(start > 0 ? 206 : 200, start > 0 ? { "content-range": range } : {})
    .end(CONTENT.subarray(start));
};

/** Sends so many bytes of what was asked for, and hangs up. */
const cutAfter =
  (bytes: number): Behaviour =>
  (request, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const range = `bytes ${start}-${CONTENT.length - 1}/${CONTENT.length}`;
    response.writeHead(start > 0 ? 206 : 200, {
      "content-length": CONTENT.length - start,
      ...(start > 0 ? { "content-range": range } : {}),
    });
    // What the client has not read when the connection ends is lost to it, and a busy machine reads late.
    response.write(CONTENT.subarray(start, start + bytes), () =>
      setTimeout(() => response.destroy(), 150),
    );
  };

describe("datasets/hub: downloads from a server that misbehaves", function () {
  this.timeout(120_000);
  let folder: string;
  let hub: { server: Server; address: string };
  let other: { server: Server; address: string };
  const state = {
    listing: [LARGE] as unknown[],
    listingStatus: 200,
    file: honest as Behaviour,
    elsewhere: honest as Behaviour,
    asked: [] as { host: "hub" | "other"; url: string; headers: IncomingMessage["headers"] }[],
  };
  const start = async (host: "hub" | "other"): Promise<typeof hub> => {
    const server = createServer((request, response) => {
      const url = request.url ?? "";
      state.asked.push({ host, url, headers: request.headers });
      const files = state.asked.filter((each) => each.host === host && !/^\/api/.test(each.url));
      if (url.startsWith("/api/datasets/")) {
        response
          .writeHead(state.listingStatus)
          .end(JSON.stringify({ sha: COMMIT, siblings: state.listing }));
      } else {
        (host === "hub" ? state.file : state.elsewhere)(request, response, files.length);
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { server, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  };
  before(async () => {
    [hub, other] = [await start("hub"), await start("other")];
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "hub-"));
    Object.assign(state, {
      listing: [LARGE],
      listingStatus: 200,
      file: honest,
      elsewhere: honest,
      asked: [],
    });
    process.env.HF_TOKEN = "hf_secret";
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
    delete process.env.HF_TOKEN;
  });
  after(() => {
    for (const { server } of [hub, other]) {
      server.closeAllConnections();
      server.close();
    }
  });
  const get = (wanted = /^data\//, options: DownloadOptions = {}) =>
    downloadFiles("owner/set", wanted, {
      ...{ folder, endpoint: hub.address, attempts: 3, retryBaseMs: 1, ...options },
    });
  const place = (name = LARGE.rfilename): string => join(folder, "owner--set", COMMIT, name);
  const files = () => state.asked.filter(({ url }) => !url.startsWith("/api"));

  it("fetches a commit's files once, large and small ones, under their own names", async () => {
    state.listing = [LARGE, SMALL, { rfilename: "README.md", size: 3, blobId: "x" }];
    const progress: number[] = [];
    const { commit, files: got } = await get(/^data\//, {
      onProgress: (done) => progress.push(done),
    });
    assert.equal(commit, COMMIT);
    assert.deepEqual(got, [place(), place(SMALL.rfilename)]);
    for (const file of got) assert.deepEqual(readFileSync(file), CONTENT);
    assert.deepEqual(
      files().map(({ url }) => url),
      ["data/test-0.parquet", "data/test%201.json"].map(
        (path) => `/datasets/owner/set/resolve/${COMMIT}/${path}`,
      ),
    );
    assert.equal(progress.at(-1), 2 * CONTENT.length);
    await get();
    assert.equal(files().length, 2);
  });

  it("goes on where the connection broke, as often as it gets further", async () => {
    state.file = cutAfter(60_000);
    await get();
    assert.deepEqual(readFileSync(place()), CONTENT);
    assert.deepEqual(
      files().map(({ headers }) => headers.range),
      [undefined, ...[60_000, 120_000, 180_000, 240_000].map((at) => `bytes=${at}-`)],
    );
  });

  it("gives a file up that gets no further, keeps what came, and goes on in the next run", async () => {
    state.file = (request, response, number) =>
      number === 1 ? cutAfter(100_000)(request, response, number) : response.destroy();
    await assert.rejects(get(), /data\/test-0\.parquet did not come .*what has come is kept/);
    assert.ok(!existsSync(place()));
    state.file = honest;
    await get();
    assert.equal(files().at(-1)?.headers.range, "bytes=100000-");
    assert.deepEqual(readFileSync(place()), CONTENT);
  });

  it("starts anew where a server knows no ranges, or sends another one", async () => {
    const whole: Behaviour = (_request, response) => response.writeHead(200).end(CONTENT);
    const wrong: Behaviour = (_request, response) =>
      response.writeHead(206, { "content-range": "bytes 5-9/10" }).end("wrong");
    for (const second of [whole, wrong]) {
      rmSync(folder, { recursive: true });
      const before = files().length;
      state.file = (request, response, number) =>
        number === before + 1
          ? cutAfter(50_000)(request, response, number)
          : number === before + 2
            ? second(request, response, number)
            : honest(request, response, number);
      await get();
      assert.deepEqual(readFileSync(place()), CONTENT);
    }
  });

  it("puts nothing under a file's name that is not what the hub vouches for", async () => {
    const lies: Record<string, Behaviour> = {
      "another content": (_request, response) => response.end(Buffer.alloc(CONTENT.length)),
      "more content": (_request, response) => response.end(Buffer.alloc(CONTENT.length + 9)),
      "less content": (_request, response) => response.end(CONTENT.subarray(0, 1000)),
    };
    for (const [name, lie] of Object.entries(lies)) {
      state.file = lie;
      await assert.rejects(get(), /is not what the hub says|did not come/, name);
      assert.ok(!existsSync(place()), name);
      rmSync(folder, { recursive: true });
    }
    state.listing = [{ ...LARGE, lfs: undefined }];
    state.file = honest;
    await assert.rejects(get(), /is not what the hub says/, "nothing vouches for it");
  });

  it("does not trust what an earlier run left", async () => {
    mkdirSync(dirname(place()), { recursive: true });
    writeFileSync(`${place()}.part`, Buffer.alloc(1000));
    await get();
    assert.deepEqual(readFileSync(place()), CONTENT);
    assert.deepEqual(
      files().map(({ headers }) => headers.range),
      ["bytes=1000-", undefined],
    );
  });

  it("follows to another host without the token, and nowhere without encryption", async () => {
    state.file = (_request, response) =>
      response.writeHead(302, { location: `${other.address}/cdn/x?signature=1` }).end();
    await get();
    assert.deepEqual(readFileSync(place()), CONTENT);
    assert.deepEqual(
      state.asked.map(({ host, headers }) => [host, headers.authorization]),
      [
        ["hub", "Bearer hf_secret"],
        ["hub", "Bearer hf_secret"],
        ["other", undefined],
      ],
    );
    rmSync(folder, { recursive: true });
    state.file = (_request, response) =>
      response.writeHead(302, { location: "file:///etc/passwd" }).end();
    await assert.rejects(get(), /without encryption/);
    state.file = ({ url }, response) => response.writeHead(302, { location: url }).end();
    await assert.rejects(get(), /sends on more than 5 times/);
  });

  it("says what is wrong, never with the token", async () => {
    const statuses: [number, RegExp][] = [
      [401, /may not be read \(status 401\).*HF_TOKEN/],
      [403, /accept the data set's terms/],
      [404, /there is no file data\/test-0\.parquet/],
    ];
    for (const [status, message] of statuses) {
      state.file = (_request, response) => response.writeHead(status).end("hf_secret");
      await assert.rejects(get(), (error: Error) => {
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /hf_secret/);
        return true;
      });
    }
    assert.equal(files().length, 3);
    for (const [status, message] of [
      [401, /data set owner\/set may not be read \(status 401\).*HF_TOKEN/],
      [404, /there is no data set owner\/set/],
      [500, /owner\/set did not come \(status 500\)/],
    ] as const) {
      state.listingStatus = status;
      await assert.rejects(get(), message);
    }
    state.listingStatus = 200;
    await assert.rejects(get(/none/), /no file that is wanted.*data\/test-0/);
    await assert.rejects(get(/^data/, { maxBytes: 1000 }), /0\.0 GB/);
    await assert.rejects(get(/^data/, { endpoint: "ftp://x" }), /cannot be used/);
  });

  it("waits as long as a busy hub asks, and gives up one that hangs", async () => {
    state.file = (request, response, number) =>
      number === 1
        ? response.writeHead(429, { "retry-after": "0" }).end()
        : honest(request, response, number);
    await get();
    rmSync(folder, { recursive: true });
    state.file = () => undefined;
    await assert.rejects(get(/^data/, { timeoutMs: 50, attempts: 2 }), /did not come/);
  });

  it("is a command: srpo bench get", async () => {
    state.listing = [LARGE];
    const env = { HF_ENDPOINT: hub.address, HF_TOKEN: "hf_secret" };
    const got = await srpo(["bench", "get", "mmk12", "--to", folder], { env });
    assert.equal(got.status, 0, got.err);
    assert.equal(got.rows[0].commit, COMMIT);
    assert.match(
      state.asked[0].url,
      /^\/api\/datasets\/FanqingM\/MMK12\/revision\/main\?blobs=true$/,
    );
    assert.ok(existsSync(join(folder, "FanqingM--MMK12", COMMIT, LARGE.rfilename)));
    assert.doesNotMatch(got.out + got.err, /hf_secret/);
    const none = await srpo(["bench", "get", "mmk12", "--set", "train"], { env });
    assert.deepEqual(
      [none.status, none.err.trim()],
      [2, "error: mmk12 has no set train; it has test"],
    );
  });

  it("stops at its signal and writes only under its folder", async () => {
    const controller = new AbortController();
    state.file = (_request, response) => {
      response.writeHead(200, { "content-length": CONTENT.length });
      response.write(CONTENT.subarray(0, 10));
      setTimeout(() => controller.abort(), 20);
    };
    await assert.rejects(get(/^data/, { signal: controller.signal }), /Stopped fetching/);
    for (const rfilename of ["../x", "/etc/x", "data/../../x", "data\\x", "data//x", ""]) {
      state.listing = [{ ...LARGE, rfilename }];
      await assert.rejects(get(/x|^$/), /names a file that cannot be/, rfilename);
    }
    await assert.rejects(
      downloadFiles("../../x", /x/, { folder, endpoint: hub.address }),
      /no name/,
    );
  });
});
