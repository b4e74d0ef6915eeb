/** Stand-ins for a notebook and a terminal that keep what they are sent. */
import type { MimeBundle, Surface } from "../../lib/lab/display";

export interface Sent {
  bundle: MimeBundle;
  id: string | undefined;
  update: boolean;
}

export function fakeNotebook(): { surface: Surface; sent: Sent[] } {
  const sent: Sent[] = [];
  const surface: Surface = {
    kind: "notebook",
    send: (bundle, { id, update }) => void sent.push({ bundle, id, update }),
  };
  return { surface, sent };
}

export function fakeTerminal(live: boolean): {
  surface: Surface;
  out: string[];
  progress: string[];
} {
  const out: string[] = [];
  const progress: string[] = [];
  const surface: Surface = {
    kind: "terminal",
    out: (text) => void out.push(text),
    progress: (text) => void progress.push(text),
    live,
  };
  return { surface, out, progress };
}
