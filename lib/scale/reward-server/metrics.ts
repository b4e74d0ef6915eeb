/** What the server has done, in the text format of Prometheus (version 0.0.4). */
import type { RewardBreakdown } from "../../reflection/rewards";

/** Upper bounds of the latency histogram, in seconds. */
const BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

/** What is read at the moment of asking. */
export interface Gauges {
  pendingRows: number;
  pendingBytes: number;
  inFlight: number;
  draining: boolean;
}

export interface ServerMetrics {
  /** An answered request, `seconds` from its last header to its last byte. */
  answered(route: string, status: number, seconds: number): void;
  /** A connection that spoke no HTTP, was too slow, or went away before its answer. */
  lost(reason: string): void;
  scored(reward: RewardBreakdown): void;
  render(gauges: Gauges): string;
}

export function createServerMetrics(): ServerMetrics {
  const started = Date.now();
  const requests = new Map<string, number>();
  const lost = new Map<string, number>();
  const transitions = new Map<string, number>();
  const buckets = new Array<number>(BUCKETS.length).fill(0);
  const latency = { count: 0, sum: 0 };
  const rewards = { count: 0, sum: 0 };
  const count = (of: Map<string, number>, key: string): void => {
    of.set(key, (of.get(key) ?? 0) + 1);
  };

  return {
    answered: (route, status, seconds) => {
      count(requests, `{route="${route}",status="${status}"}`);
      latency.count++;
      latency.sum += seconds;
      const at = BUCKETS.findIndex((bound) => seconds <= bound);
      if (at >= 0) buckets[at]++;
    },
    lost: (reason) => count(lost, `{reason="${reason}"}`),
    scored: ({ total, transition }) => {
      rewards.count++;
      rewards.sum += total;
      count(transitions, `{transition="${transition ?? "none"}"}`);
    },
    render: ({ pendingRows, pendingBytes, inFlight, draining }) => {
      const lines: string[] = [];
      /** @param values by what follows the name: labels, or a histogram's suffix and labels */
      const metric = (
        name: string,
        type: string,
        help: string,
        values: Iterable<readonly [labels: string, value: number]>,
      ): void => {
        lines.push(`# HELP srpo_${name} ${help}`, `# TYPE srpo_${name} ${type}`);
        for (const [labels, value] of values) lines.push(`srpo_${name}${labels} ${value}`);
      };
      let below = 0;
      const cumulative = BUCKETS.map((bound, i): [string, number] => [
        `_bucket{le="${bound}"}`,
        (below += buckets[i]),
      ]);
      metric("requests_total", "counter", "Answered requests.", requests);
      metric("connections_lost_total", "counter", "Connections without an answer.", lost);
      metric("request_seconds", "histogram", "From headers to answer.", [
        ...cumulative,
        ['_bucket{le="+Inf"}', latency.count],
        ["_sum", latency.sum],
        ["_count", latency.count],
      ]);
      metric("rewards_total", "counter", "Responses scored.", [["", rewards.count]]);
      metric("reward_sum", "counter", "Sum of their totals.", [["", rewards.sum]]);
      metric("transitions_total", "counter", "First answer to second.", transitions);
      metric("pending_rows", "gauge", "Rows that wait.", [["", pendingRows]]);
      metric("pending_bytes", "gauge", "Bytes of bodies that wait.", [["", pendingBytes]]);
      metric("requests_in_flight", "gauge", "Requests without an answer yet.", [["", inFlight]]);
      metric("draining", "gauge", "1 while shutting down.", [["", draining ? 1 : 0]]);
      const { rss, heapUsed } = process.memoryUsage();
      metric("resident_bytes", "gauge", "Memory of the process.", [["", rss]]);
      metric("heap_bytes", "gauge", "JavaScript heap in use.", [["", heapUsed]]);
      metric("uptime_seconds", "gauge", "Since start.", [["", (Date.now() - started) / 1000]]);
      return lines.join("\n") + "\n";
    },
  };
}
