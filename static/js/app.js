// The entry of every page: wires the shell and loads the rest when a page has need of it.
import { eachOnArrival } from "./lib.js";
import "./shell.js";
import "./toast.js";
import "./dialog.js";
import "./palette.js";
import "./times.js";
import "./tip.js";
import "./forms.js";
import "./table.js";

eachOnArrival("[data-upload]", (element) => import("./upload.js").then((module) => module.attach(element)));
eachOnArrival("[data-chart]", (element) => import("./chart.js").then((module) => module.drawChart(element)));
