// Speak with Novita through npm `novita-sdk`: a question a line on stdin, its answer on stdout.
import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import novita from "novita-sdk";

const { NovitaSDK, NovitaError, TaskStatus } = novita;

const calls = {
  // The package knows no Kling model: this is what its methods for other models do.
  submit: (sdk, { model, body }) => sdk.httpFetch({ url: `/v3/async/${model}`, method: "POST", data: body }),

  result: async (sdk, { task_id }) => ({ status: (await sdk.progress({ task_id })).task.status }),

  // The waiting loop of the package's README: once a second, until one of the two ends.
  async film(sdk, { task_id }) {
    const seen = [];
    for (;;) {
      const { task, videos } = await sdk.progress({ task_id });
      seen.push(task.status);
      if (task.status === TaskStatus.SUCCEED || task.status === TaskStatus.FAILED) {
        const sha256 = await Promise.all(videos.map((video) => digest(video.video_url)));
        return { seen, reason: task.reason, sha256 };
      }
      await sleep(1000);
    }
  },

  balance: async (sdk) => ({ balance: (await sdk.httpFetch({ url: "/v3/user" })).credit_balance }),
};

async function digest(url) {
  const bytes = Buffer.from(await (await fetch(url)).arrayBuffer());
  return createHash("sha256").update(bytes).digest("hex");
}

async function answer({ call, key, ...question }) {
  const sdk = new NovitaSDK(key);
  sdk.setBaseUrl(process.env.NOVITA_API_URL);
  try {
    return await calls[call](sdk, question);
  } catch (error) {
    if (!(error instanceof NovitaError)) throw error;
    return { error: `NovitaError: ${error.code} ${error.reason}: ${error.msg}` };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line))));
}
