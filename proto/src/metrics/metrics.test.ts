import { expect, it } from "vitest";
import { LoopbackHttp } from "./loopback-http.ts";
import { Metrics } from "./metrics.ts";

it("counts calls by method and outcome, once each, and has no label that a stranger chose", async () => {
  const metrics = new Metrics("cmdop_test", [
    { name: "jobs", help: "Jobs.", values: () => [{ value: 3 }, { labels: { lane: "upload" }, value: 1 }] },
  ]);
  const end = metrics.begin("/cmdop.v1.Files/Read");
  end("Ok", { in: 10, out: 20 });
  end("Internal");
  for (let index = 0; index < 1_000; index++) metrics.begin(`/evil/${index}\n"}`)("Unimplemented");
  const http = new LoopbackHttp(metrics.pages);
  const port = await http.listen(0, "metrics");
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(answer.headers.get("content-type")).toContain("text/plain; version=0.0.4");
  const text = await answer.text();
  expect((await fetch(`http://127.0.0.1:${port}/other`)).status).toBe(404);
  await http.close();
  metrics.close();
  expect(text).toContain('cmdop_test_calls_total{method="cmdop.v1.Files/Read",outcome="Ok"} 1\n');
  expect(text).toContain('cmdop_test_calls_total{method="other",outcome="Unimplemented"} 1000\n');
  expect(text).toContain('cmdop_test_call_bytes_total{direction="out"} 20\n');
  expect(text).toContain('cmdop_test_call_duration_seconds_bucket{method="other",le="+Inf"} 1000\n');
  expect(text).toContain('cmdop_test_jobs 3\ncmdop_test_jobs{lane="upload"} 1\n');
  expect(text).not.toMatch(/evil|Internal/);
  for (const line of text.trim().split("\n")) {
    expect(line).toMatch(/^# (?:HELP|TYPE) \w+ .+$|^\w+(?:\{(?:\w+="[^"]*",?)+\})? [\d.e+-]+$/);
  }
});
