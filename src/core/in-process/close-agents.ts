import type { Clock } from "../clock.ts";
import type { AgentCatalog } from "../delivery/activations/agent-catalog.ts";
import { loggableError, loggableText } from "../delivery/loggable.ts";
import { errorText } from "../errors.ts";
import type { Logger } from "../logger.ts";

/** Agents that the log names. */
const mostNamed = 10;

/**
 * Closes all agents, and waits for that for at most `ms`. It rejects as the catalog does. The runtime cannot end a factory or a
 * `close` that hangs. It then logs the names of these agents, and does not wait any longer.
 */
export async function closeAgents(catalog: AgentCatalog, ms: number, clock: Clock, logger: Logger): Promise<void> {
  let isTimeUp = false;
  const closing = catalog.close();
  await new Promise<void>((resolve, reject) => {
    const timer = clock.setTimer(
      ms,
      () => {
        isTimeUp = true;
        reportUnended(catalog, logger);
        resolve();
      },
      { keepAlive: true },
    );
    const onEnd = (end: () => void) => {
      timer.cancel();
      end();
    };
    closing.then(
      () => onEnd(resolve),
      (error: unknown) => onEnd(() => (isTimeUp ? reportLate(error, logger) : reject(error))),
    );
  });
}

function reportLate(error: unknown, logger: Logger): void {
  logger.error(loggableText(`An agent failed to close: ${errorText(error)}`), { error: loggableError(error) });
}

function reportUnended({ unended }: AgentCatalog, logger: Logger): void {
  const named = unended
    .slice(0, mostNamed)
    .map(({ id, at }) => loggableText(`${id} (${at})`))
    .join(", ");
  const more = unended.length > mostNamed ? ` and ${unended.length - mostNamed} more` : "";
  logger.error(
    `Agents had not ended when the runtime closed: ${named}${more}. An agent that is being made is closed when its factory ends.`,
  );
}
