import { render } from "preact";
import { App } from "./app";
import { Live } from "./live";
import { PANELS } from "./panels";
import "uplot/dist/uPlot.min.css";
import "./style.css";
import "./cliffs.css";

const live = new Live(PANELS);
const root = document.getElementById("console");
if (root) {
  root.replaceChildren();
  render(<App live={live} />, root);
  live.start();
}
