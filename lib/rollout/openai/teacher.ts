/** The teacher and the judge of Stage I as any OpenAI-compatible multimodal model, through the client and its cache and budget. */
import {
  judgePromptVersion,
  judgeQuestion,
  judgeSchema,
  judgeSystemPrompt,
  readGrade,
  type ReasoningJudge,
} from "../../reflection/reasoning-judge";
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
import { RequestFailed, type ChatClient } from "./client";
import type { ChatRequest } from "./protocol";
import { askForText, structuredRequest, type StructuredOptions } from "./structured";

export interface ServerTeacherOptions extends StructuredOptions {
  name?: string;
  signal?: AbortSignal;
}

/** A teacher or judge over a server, with its requests open to an estimate. */
export interface Asked {
  /** The first request about an attempt; repeats come on top of what it is estimated at. */
  request(lesson: Lesson): Promise<ChatRequest>;
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
): Teacher & Asked {
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
    request: (lesson) => request(lesson),
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
): ReasoningJudge & Asked {
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
    request: (lesson) => request(lesson),
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

function settingsOf(
  { model }: ChatClient,
  prompts: string,
  { temperature = 0.7, maxTokens = 1500, seed }: StructuredOptions,
): Record<string, string | number> {
  return { model, prompts, temperature, maxTokens, ...(seed === undefined ? {} : { seed }) };
}
