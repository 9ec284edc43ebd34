/** What is shown instead of a page whose script failed. */

import { Component, type ReactNode } from "react";
import { Empty } from "./display.tsx";
import { Button } from "./controls.tsx";

export class Boundary extends Component<{ children: ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {};

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    if (!this.state.error) return this.props.children;
    return (
      <Empty title="This page stopped working" actions={<Button kind="primary" onClick={() => location.reload()}>Load it again</Button>}>
        {this.state.error.message}. Your data is not affected. If it happens again, tell the people who run this server.
      </Empty>
    );
  }
}
