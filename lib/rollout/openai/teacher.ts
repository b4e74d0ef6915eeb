/** The teacher and the judge of Stage I as any OpenAI-compatible multimodal model, through the client and its cache and budget. */
import { lessonOf } from "../../reflection/construction";
import {
  judgePromptVersion,
  judgeQuestion,
  judgeSchema,
  judgeSystemPrompt,
  readGrade,
  type ReasoningJudge,
} from "../../reflection/reasoning-judge";
import type { Attempt } from "../../reflection/selection";
import {
  MalformedTeaching,
  type Lesson,
  type Rejection,
  type Teacher,
} from "../../reflection/teacher";
import {
  modeOf,
  readTeaching,
  rejectionText,
  teacherSystemPrompt,
  teachingPromptsVersion,
  teachingQuestion,
  teachingSchema,
} from "../../reflection/teaching-prompts";
import { RequestFailed, type ChatClient, type Estimate } from "./client";
import type { ChatRequest } from "./protocol";
import { askForText, structuredRequest, type StructuredOptions } from "./structured";

export interface ServerTeacherOptions extends StructuredOptions {
  name?: string;
  signal?: AbortSignal;
}

/** A teacher or judge over a server says beforehand what it would cost. */
export interface Estimated {
  /** What one request about each attempt would use at most; requests that are repeated with a reason come on top. */
  estimate(attempts: Iterable<Attempt>): Promise<Estimate>;
}

const CUT_OFF = "the reply was cut off by the token limit; be briefer";

/**
 * A teacher over a server. What the filters refuse goes back to it as a turn of the conversation, with the reason.
 *
 * Every call goes through the client: it is in the cache, counts for the budget, and is never paid twice.
 */
export function createServerTeacher(
  client: ChatClient,
  { name = client.model, signal, ...options }: ServerTeacherOptions = {},
): Teacher & Estimated {
  const request = (lesson: Lesson, rejections: readonly Rejection[] = []): Promise<ChatRequest> =>
    structuredRequest(
      {
        system: teacherSystemPrompt,
        problem: lesson.problem,
        text: teachingQuestion(lesson),
        turns: rejections.map((one) => ({ reply: one.reply, answer: rejectionText(one) })),
        schema: teachingSchema(modeOf(lesson)),
      },
      options,
    );
  return {
    name,
    settings: settingsOf(client, teachingPromptsVersion, options),
    estimate: (attempts) => client.estimate(requestsOf(attempts, request)),
    reflect: async (lesson, rejections) => {
      const { text, truncated } = await askForText(
        client,
        await request(lesson, rejections),
        signal,
      );
      if (truncated) throw new MalformedTeaching(text, CUT_OFF);
      return readTeaching(text, lesson);
    },
  };
}

/** A judge of reasoning over a server; a reply that holds no grade is asked for once more. */
export function createServerJudge(
  client: ChatClient,
  { name = client.model, signal, ...options }: ServerTeacherOptions = {},
): ReasoningJudge & Estimated {
  const settings = { temperature: 0, maxTokens: 300, ...options };
  const request = (lesson: Lesson, turns: { reply: string; answer: string }[] = []) =>
    structuredRequest(
      {
        system: judgeSystemPrompt,
        problem: lesson.problem,
        text: judgeQuestion(lesson),
        turns,
        schema: judgeSchema(),
      },
      settings,
    );
  return {
    name,
    settings: settingsOf(client, judgePromptVersion, settings),
    estimate: (attempts) => client.estimate(requestsOf(attempts, request)),
    score: async (lesson) => {
      const turns: { reply: string; answer: string }[] = [];
      try {
        while (turns.length < 2) {
          const { text } = await askForText(client, await request(lesson, turns), signal);
          const read = readGrade(text, name);
          if ("value" in read) return read.value;
          turns.push({ reply: text, answer: rejectionText({ reply: text, reason: read.fault }) });
        }
      } catch (error) {
        // A server that refuses one picture still grades the others.
        if (!(error instanceof RequestFailed)) throw error;
      }
      return null;
    },
  };
}

async function* requestsOf(
  attempts: Iterable<Attempt>,
  request: (lesson: Lesson) => Promise<ChatRequest>,
): AsyncGenerator<ChatRequest> {
  for (const attempt of attempts) yield await request(lessonOf(attempt));
}

function settingsOf(
  { model }: ChatClient,
  prompts: string,
  { temperature = 0.7, maxTokens = 1500, seed }: StructuredOptions,
): Record<string, string | number> {
  return { model, prompts, temperature, maxTokens, ...(seed === undefined ? {} : { seed }) };
}
