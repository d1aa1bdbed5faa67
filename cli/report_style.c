/* SPDX-License-Identifier: MIT
 *
 * How the page looks: light or dark as the reader's system is, from 320 pixels up.
 */
#include "cli/report.h"

static const char rules[] =
	"*{box-sizing:border-box}\n"
	"html{-webkit-text-size-adjust:100%;background:var(--page);color:var(--ink);"
	"font:16px/1.55 system-ui,sans-serif}\n"
	"body{margin:0 auto;max-width:76rem;padding:1rem}\n"
	"h1{font-size:1.9rem;line-height:1.2;margin:.5rem 0}\n"
	"h2{font-size:1.4rem;margin:2.5rem 0 .5rem;border-bottom:1px solid var(--line);"
	"padding-bottom:.25rem}\n"
	"h3{font-size:1.1rem;margin:1.75rem 0 .5rem}\n"
	"p,li{max-width:46rem}\nheader p{color:var(--soft)}\n"
	"a{color:var(--link)}\n"
	"a:focus-visible,.scroll:focus-visible{outline:3px solid var(--link);outline-offset:2px}\n"
	".skip{position:absolute;left:-99rem;background:var(--page);padding:.5rem 1rem}\n"
	".skip:focus{left:.5rem;top:.5rem}\n"
	"nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:1rem 0;"
	"padding:0}\n"
	"nav a{display:inline-block;padding:.25rem 0}\n"
	"figure{margin:1rem 0}\nfigcaption{color:var(--soft);font-size:.9rem;max-width:46rem}\n"
	"svg{display:block;max-width:100%;height:auto;color:var(--ink)}\n"
	"svg.narrow{display:none}\n"
	"@media (max-width:46rem){svg.wide{display:none}svg.narrow{display:block}}\n"
	".scroll{overflow-x:auto;margin:1rem 0;border:1px solid var(--line);border-radius:6px}\n"
	"table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums;"
	"width:100%}\n"
	"caption{text-align:left;font-weight:600;padding:.5rem .6rem;white-space:nowrap}\n"
	"th,td{padding:.3rem .6rem;text-align:right;white-space:nowrap;"
	"border-top:1px solid var(--line)}\n"
	"thead th{vertical-align:bottom;color:var(--soft);font-weight:600}\n"
	"th:first-child{text-align:left}\ntbody th{font-weight:400}\n"
	".words .scroll{width:fit-content;max-width:100%}\n"
	"td.why,.words td,.words th{text-align:left;white-space:normal}\n";

void report_style(FILE *out)
{
	fputs("<style>\n:root{--page:#fff;--soft:#4d5866;--line:#d5dae1;--link:#1a5fb4;", out);
	report_chart_colours(out, false);
	fputs("}\n@media (prefers-color-scheme:dark){:root{--page:#14181e;--soft:#aab4c0;"
	      "--line:#343c47;--link:#8ab8f5;",
	      out);
	report_chart_colours(out, true);
	fputs("}}\n", out);
	fputs(rules, out);
	fputs("</style>\n", out);
}
