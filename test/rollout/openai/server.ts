/** A chat server on 127.0.0.1 that behaves as a test tells it to, and writes down what it was asked. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request's body as it came. */
export interface Asked {
  body: Record<string, any>;
  headers: IncomingMessage["headers"];
}

/** Answers a request, or spoils the answer. */
export type Behaviour = (
  asked: Asked,
  response: ServerResponse,
  number: number,
) => void | Promise<void>;

export const replyBody = (text: string, more: Record<string, unknown> = {}) => ({
  ...{ id: "x", object: "chat.completion", model: "served" },
  choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
  usage: { prompt_tokens: 10, completion_tokens: 5 },
  ...more,
});

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response
    .writeHead(status, { "content-type": "application/json", ...headers })
    .end(JSON.stringify(body));
}

/** Repeats the text that it was sent last. */
export const echo: Behaviour = ({ body }, response) =>
  sendJson(response, 200, replyBody(textIn(body)));

export function textIn(body: Record<string, any>): string {
  const { content } = body.messages.at(-1);
  return typeof content === "string"
    ? content
    : content.find((part: { type: string }) => part.type === "text").text;
}

/** A server on a free port of 127.0.0.1. */
export async function openChatServer(
  behave: (asked: Asked, response: ServerResponse) => void | Promise<void>,
): Promise<{ baseUrl: string; close(): void }> {
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = JSON.parse(Buffer.concat(parts).toString()) as Asked["body"];
    await behave({ body, headers: request.headers }, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Starts before and closes after the suite. */
export function chatServer() {
  const state = {
    baseUrl: "",
    asked: [] as Asked[],
    atOnce: 0,
    most: 0,
    behave: echo as Behaviour,
  };
  let close: (() => void) | undefined;
  before(async () => {
    const server = await openChatServer(async (asked, response) => {
      state.asked.push(asked);
      state.most = Math.max(state.most, ++state.atOnce);
      response.on("close", () => state.atOnce--);
      await state.behave(asked, response, state.asked.length);
    });
    ({ baseUrl: state.baseUrl, close } = server);
  });
  beforeEach(() => {
    Object.assign(state, { asked: [], most: 0, behave: echo });
  });
  after(() => close?.());
  return state;
}
