// Vercel's AI SDK: generateText, streamText, tools and objects, over chat and over Responses.
import { createOpenAI } from "@ai-sdk/openai";
import { Output, embed, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { ANSWER, BASE, QUESTION, VECTOR, holds, report } from "./report.mjs";

const openai = createOpenAI({ baseURL: `${BASE}/v1`, apiKey: "-" });
const common = { prompt: QUESTION, maxRetries: 0 };
const schema = z.object({ city: z.string() });

async function text(model) {
  const made = await generateText({ model, ...common });
  holds(made.text === ANSWER, made.text);
}

async function streamed(model) {
  const made = streamText({ model, ...common, onError: () => {} });
  let whole = "";
  for await (const part of made.textStream) whole += part;
  holds(whole === ANSWER, whole);
}

async function withTool(model) {
  const asked = [];
  const weather = tool({
    description: "The weather of a city",
    inputSchema: schema,
    execute: async ({ city }) => {
      asked.push(city);
      return "sunny";
    },
  });
  const made = await generateText({ model, ...common, tools: { weather }, stopWhen: stepCountIs(3) });
  holds(made.text === ANSWER && asked[0] === "Oslo", [made.text, asked]);
}

async function object(model) {
  const made = await generateText({ model, ...common, output: Output.object({ schema }) });
  holds((made.output ?? made.experimental_output).city === "Oslo", made.text);
}

await report({
  chat: () => text(openai.chat("auto")),
  stream: () => streamed(openai.chat("auto")),
  tools: () => withTool(openai.chat("auto")),
  structured: () => object(openai.chat("auto")),
  async responses() {
    await text(openai("auto"));
    await streamed(openai("auto"));
    await object(openai("auto"));
  },
  responses_tools: () => withTool(openai("auto")),
  async embeddings() {
    const made = await embed({ model: openai.embedding("text-embedding-3-small"), value: "a", maxRetries: 0 });
    holds(JSON.stringify(made.embedding) === JSON.stringify(VECTOR), made.embedding);
  },
});
