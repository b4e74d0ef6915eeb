/**
 * A client that speaks with the kernel as VS Code's Jupyter extension does: no Jupyter server between, the process started
 * from the kernelspec, ZeroMQ's sockets from npm. It signs, reads and checks messages by itself.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { Dealer, Subscriber } from "zeromq";

const CHANNELS = ["shell", "control", "stdin", "iopub", "hb"] as const;
type Channel = Exclude<(typeof CHANNELS)[number], "hb">;
const DELIMITER = "<IDS|MSG>";
const PATIENCE_MS = 60_000;

export interface Message {
  channel: Channel;
  header: Record<string, string>;
  parent: { msg_id?: string };
  metadata: Record<string, unknown>;
  content: Record<string, any>;
}

/** What came of a request. */
export interface Answered {
  /** Its reply's content. */
  reply: Record<string, any>;
  /** Published for it, in order, from its first to its last. */
  published: { type: string; content: Record<string, any> }[];
}

export interface RawKernel {
  process: ChildProcess;
  /** Messages that a strict client would not take, and why. */
  faults: string[];
  /** Sends a message. @returns its number */
  send(channel: Channel, type: string, content: object, metadata?: object, parent?: object): string;
  /** Waits for a message, one that came before included. */
  wait(what: string, fits: (message: Message) => boolean): Promise<Message>;
  /** Done as VS Code sees it: the reply has come on its channel, and `idle` for it. */
  done(id: string): Promise<Answered>;
  request(channel: Channel, type: string, content: object, metadata?: object): Promise<Answered>;
  /** Closes the sockets, and kills what may still be there. */
  close(): void;
}

/** Fields that the messages of iopub must have: @jupyterlab/services throws at others. */
const FIELDS: Record<string, Record<string, string>> = {
  stream: { name: "string", text: "string" },
  display_data: { data: "object", metadata: "object" },
  update_display_data: { data: "object", metadata: "object", transient: "object" },
  execute_input: { code: "string", execution_count: "number" },
  execute_result: { execution_count: "number", data: "object", metadata: "object" },
  error: { ename: "string", evalue: "string", traceback: "object" },
  status: { execution_state: "string" },
  clear_output: { wait: "boolean" },
  comm_open: { comm_id: "string", target_name: "string", data: "object" },
  comm_msg: { comm_id: "string", data: "object" },
  comm_close: { comm_id: "string" },
};

function faultsOf({ channel, header, content }: Message): string[] {
  const wanted = channel === "iopub" ? (FIELDS[header.msg_type] ?? {}) : { status: "string" };
  const ofContent = Object.entries(channel === "stdin" ? { prompt: "string" } : wanted);
  const ofHeader = ["username", "version", "session", "msg_id", "msg_type"];
  return [
    ...ofHeader.filter((name) => typeof header[name] !== "string"),
    ...ofContent.filter(([name, type]) => typeof content[name] !== type).map(([name]) => name),
  ].map((name) => `${header.msg_type}: ${name}`);
}

/** Five ports that are free now. */
async function freePorts(): Promise<number[]> {
  const servers = CHANNELS.map(() => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((one) => new Promise((resolve) => one.once("listening", resolve))));
  const ports = servers.map((one) => (one.address() as AddressInfo).port);
  await Promise.all(servers.map((one) => new Promise((resolve) => one.close(resolve))));
  return ports;
}

/** Knocks at a port until somebody listens there, and leaves without a word. */
async function untilUsed(port: number): Promise<void> {
  const knock = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end;) {
    if (await knock()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nobody listens at port ${port}`);
}

/**
 * Starts a kernel.
 * @param argv of its kernelspec
 * @param folder where the notebook lies, and where the connection file is put
 */
export async function startRaw(
  argv: readonly string[],
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<RawKernel> {
  const key = randomUUID();
  const ports = await freePorts();
  const portOf = (channel: string): number =>
    ports[(CHANNELS as readonly string[]).indexOf(channel)];
  const file = join(folder, `kernel-v2-${process.pid} ${key}.json`);
  const connection = {
    ...Object.fromEntries(CHANNELS.map((channel) => [`${channel}_port`, portOf(channel)])),
    ...{ ip: "127.0.0.1", transport: "tcp", signature_scheme: "hmac-sha256", key },
  };
  writeFileSync(file, JSON.stringify(connection), { mode: 0o600 });
  const [program, ...rest] = argv.map((one) => one.replace("{connection_file}", file));
  const child = spawn(program, rest, { cwd: folder, env, stdio: ["ignore", "ignore", "inherit"] });
  await Promise.all([untilUsed(portOf("shell")), untilUsed(portOf("iopub"))]);

  const sign = (parts: readonly (string | Buffer)[]): string => {
    const hash = createHmac("sha256", key);
    for (const part of parts) hash.update(part);
    return hash.digest("hex");
  };
  const heard: Message[] = [];
  const faults: string[] = [];
  const listeners = new Set<() => void>();
  let isOpen = true;

  function hear(channel: Channel, frames: Buffer[]): void {
    const at = frames.findIndex((frame) => frame.toString() === DELIMITER);
    const [signature, ...parts] = frames.slice(at + 1, at + 6);
    if (signature.toString() !== sign(parts)) faults.push("a wrong signature");
    const [header, parent, metadata, content] = parts.map((part) => JSON.parse(String(part)));
    const message = { channel, header, parent, metadata, content };
    faults.push(...faultsOf(message));
    heard.push(message);
    for (const listener of listeners) listener();
  }
  async function listen(channel: Channel, socket: Dealer | Subscriber): Promise<void> {
    for await (const frames of socket) if (isOpen) hear(channel, frames);
  }

  // One identity for all: that is how a kernel knows whom to ask for input.
  const routingId = randomUUID();
  const dealers = { shell: 0, control: 0, stdin: 0 } as unknown as Record<Channel, Dealer>;
  for (const channel of ["shell", "control", "stdin"] as const) {
    dealers[channel] = new Dealer({ routingId, linger: 0 });
  }
  const iopub = new Subscriber();
  for (const [channel, socket] of [...Object.entries(dealers), ["iopub", iopub] as const]) {
    socket.connect(`tcp://127.0.0.1:${portOf(channel)}`);
    void listen(channel as Channel, socket).catch(() => {});
  }
  iopub.subscribe();

  const session = randomUUID();
  // A socket of ZeroMQ sends one message at a time.
  let sending: Promise<unknown> = Promise.resolve();
  const send: RawKernel["send"] = (channel, type, content, metadata = {}, parent = {}) => {
    const id = randomUUID();
    const date = new Date().toISOString();
    const header = {
      msg_id: id,
      msg_type: type,
      session,
      username: "vscode",
      date,
      version: "5.2",
    };
    const parts = [header, parent, metadata, content].map((part) => JSON.stringify(part));
    sending = sending.then(() => dealers[channel].send([DELIMITER, sign(parts), ...parts]));
    return id;
  };
  const wait: RawKernel["wait"] = (what, fits) =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = heard.find(fits);
        if (found === undefined) return;
        listeners.delete(look);
        clearTimeout(timer);
        resolve(found);
      };
      const last = (): string =>
        heard
          .slice(-5)
          .map(({ header }) => header.msg_type)
          .join(", ");
      const timer = setTimeout(() => {
        listeners.delete(look);
        reject(new Error(`waited in vain for ${what}; last came ${last()}`));
      }, PATIENCE_MS);
      listeners.add(look);
      look();
    });
  const done: RawKernel["done"] = async (id) => {
    const mine = ({ parent }: Message): boolean => parent.msg_id === id;
    const reply = await wait(
      "the reply",
      (one) => mine(one) && /_reply$/.test(one.header.msg_type),
    );
    await wait("idle", (one) => mine(one) && one.content.execution_state === "idle");
    const published = heard
      .filter((one) => mine(one) && one.channel === "iopub")
      .map(({ header, content }) => ({ type: header.msg_type, content }));
    return { reply: reply.content, published };
  };
  return {
    process: child,
    faults,
    send,
    wait,
    done,
    request: (...message) => done(send(...message)),
    close() {
      isOpen = false;
      for (const socket of [...Object.values(dealers), iopub]) socket.close();
      child.kill("SIGKILL");
      rmSync(file, { force: true });
    },
  };
}
