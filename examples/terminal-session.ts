/**
 * A terminal on a machine, as a person would use one: type, read, resize,
 * interrupt, close.
 *
 *   node examples/terminal-session.ts
 */
import { CMDOPClient } from "@cmdop/sdk";

/** Types a command into a shell and returns what the terminal showed. */
export async function terminalSession(server: CMDOPClient, command = "kubectl get pods"): Promise<string> {
  const session = await server.terminal.create({ shell: "/bin/sh", cols: 120, rows: 40, env: { PS1: "$ " } });
  const { sessionId } = session;

  await server.terminal.sendInput(sessionId, `${command}\n`);
  await server.terminal.waitFor(sessionId, /\$ $/);

  await server.terminal.resize(sessionId, 200, 50);
  await server.terminal.sendInput(sessionId, "stty size; sleep 1000\n");
  await server.terminal.waitFor(sessionId, "50 200");
  await server.terminal.sendSignal(sessionId, "SIGINT");
  await server.terminal.waitFor(sessionId, /\$ $/);

  const output = await server.terminal.getHistory(sessionId);
  await server.terminal.close(sessionId);
  return output;
}

if (import.meta.main) {
  await using server = CMDOPClient.fromProfile();
  console.log(await terminalSession(server));
}
