import { Jobs } from "../agent/src/jobs/jobs.ts";
import { randomUUID } from "node:crypto";
const jobs = new Jobs();
const t: number[][] = [];
for (let i=0;i<300;i++) {
  const s=performance.now();
  const {job}=jobs.start({keyId:"k",admin:false}, randomUUID(), {run:{shell:"true"},cwd:"",env:{},timeoutMs:0,stdin:new Uint8Array(),stdinOpen:false} as never);
  const a=performance.now()-s;
  for await (const e of job.events({after:0n,attached:false,holds:true})) {}
  t.push([a, performance.now()-s]);
}
const q=(k:number,p=.5)=>t.slice(50).map(x=>x[k]!).sort((a,b)=>a-b)[Math.floor(250*p)]!.toFixed(2);
console.log("sync start", q(0), "total", q(1), "p90", q(1,.9), process.memoryUsage().rss/1e6);
await jobs.shutdown();
