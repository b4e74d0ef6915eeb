/** From nothing to a policy that can be used. */
import { measureStarts, type StartTime } from "../start";
import { spreadOf } from "../spread";
import type { BenchPart } from "./part";

const RUNS = 7;
const PHASES = ["node_s", "library_s", "engine_s", "policy_s", "total_s"] as const;

export const start: BenchPart = {
  name: "start",
  title: "Start-up by phase",
  about:
    "Fresh processes: Node itself, importing the library, the engine, opening the embedded policy.",
  measure: ({ onProgress }) => {
    onProgress(`${RUNS} fresh processes`);
    const starts = measureStarts({ runs: RUNS });
    const spreads = PHASES.map((phase) => spreadOf(starts, (one: StartTime) => one[phase]));
    const groups = PHASES.map((phase) => phase.replace("_s", ""));
    return Promise.resolve({
      rows: groups.map((phase, i) => ({ phase, s: spreads[i] })),
      figures: [
        {
          title: "Start-up by phase",
          subtitle: `medians of ${RUNS} starts, smallest to largest`,
          x: { title: "phase" },
          y: { title: "seconds", min: 0 },
          bars: {
            groups,
            series: [
              {
                name: "start",
                values: spreads.map(({ median }) => median),
                low: spreads.map(({ low }) => low),
                high: spreads.map(({ high }) => high),
              },
            ],
          },
        },
      ],
      findings: [],
    });
  },
};
