// The openai SDK for Node: chat, stream, tools, responses, embeddings.
import OpenAI from "openai";
import { ANSWER, BASE, QUESTION, VECTOR, holds, report } from "./report.mjs";

const client = new OpenAI({ baseURL: `${BASE}/v1`, apiKey: "-", maxRetries: 0 });
const messages = [{ role: "user", content: QUESTION }];
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

await report({
  async chat() {
    const made = await client.chat.completions.create({ model: "auto", messages });
    holds(made.choices[0].message.content === ANSWER, made);
  },
  async stream() {
    let text = "";
    for await (const chunk of await client.chat.completions.create({ model: "auto", messages, stream: true }))
      text += chunk.choices[0]?.delta?.content ?? "";
    holds(text === ANSWER, text);
  },
  async tools() {
    const tools = [{ type: "function", function: { name: "weather", parameters } }];
    const made = await client.chat.completions.create({ model: "auto", messages, tools });
    holds(JSON.parse(made.choices[0].message.tool_calls[0].function.arguments).city === "Oslo", made);
  },
  async responses() {
    const made = await client.responses.create({ model: "auto", input: QUESTION });
    holds(made.output_text === ANSWER, made);
    let last = "";
    for await (const event of await client.responses.create({ model: "auto", input: QUESTION, stream: true }))
      last = event.type;
    holds(last === "response.completed", last);
  },
  async embeddings() {
    const made = await client.embeddings.create({ model: "text-embedding-3-small", input: "a" });
    holds(JSON.stringify(Array.from(made.data[0].embedding)) === JSON.stringify(VECTOR), made);
  },
});
