// Comms: channels between a widget in the notebook's page and the code of a cell, opened from either side.
import { randomUUID } from "node:crypto";

/** @param {(event: object) => void} send */
export function createComms(send) {
  /** Comms that are open, by id, and what to do for a page that opens one, by target. */
  const open = new Map();
  const targets = new Map();
  /** The page's message that is being heard: what is said meanwhile answers it. */
  let answers;

  function make(id, target) {
    const listeners = { message: new Set(), close: new Set() };
    const tell = (kind, ...values) => listeners[kind].forEach((listener) => listener(...values));
    const say = (message, content, { buffers = [], metadata = {} } = {}) =>
      send({
        type: "comm",
        message,
        content: { comm_id: id, ...content },
        buffers,
        metadata,
        answers,
      });
    const comm = {
      id,
      target,
      send: (data, options) => say("comm_msg", { data }, options),
      onMessage: (listener) => listeners.message.add(listener),
      onClose: (listener) => listeners.close.add(listener),
      close(data = {}) {
        if (open.delete(id)) say("comm_close", { data });
      },
    };
    open.set(id, { comm, tell });
    return { comm, say };
  }

  return {
    globals: {
      /** Opens a channel to a page that knows the target. */
      open(target, data = {}, { id = randomUUID(), ...options } = {}) {
        const { comm, say } = make(id, target);
        say("comm_open", { target_name: target, data }, options);
        return comm;
      },
      /** Says who answers when a page opens a channel. */
      register: (target, listener) => void targets.set(target, listener),
    },

    /** A page's message. */
    receive({ number, message, content, buffers }) {
      answers = number;
      try {
        hear({ message, content, buffers });
      } finally {
        answers = undefined;
      }
    },
  };

  function hear({ message, content, buffers }) {
    const { comm_id: id, target_name: target, data } = content;
    if (message === "comm_open") {
      const listener = targets.get(target);
      const { comm } = make(id, target);
      return listener === undefined ? comm.close() : listener(comm, data, buffers);
    }
    const known = open.get(id);
    if (message === "comm_close") open.delete(id);
    known?.tell(message === "comm_msg" ? "message" : "close", data, buffers);
  }
}
