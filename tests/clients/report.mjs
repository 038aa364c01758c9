// As report.py: each check's `ok` or error, as one line of JSON.
export const BASE = process.env.TURNOUT_URL ?? "http://127.0.0.1:8000";
export const QUESTION = "What is 2 + 2?";
export const ANSWER = "It is four.";
export const VECTOR = [0.5, -0.25, 0.125];

export function holds(good, what) {
  if (!good) throw new Error(JSON.stringify(what).slice(0, 300));
}

export async function report(checks) {
  const results = {};
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      results[name] = "ok";
    } catch (error) {
      results[name] = `${error.name}: ${error.message}`.slice(0, 300);
    }
  }
  console.log(JSON.stringify(results));
}
