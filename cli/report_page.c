/* SPDX-License-Identifier: MIT
 *
 * The page: a head, and one section after another.
 */
#include "cli/cli.h"
#include "cli/html.h"
#include "cli/report.h"

#include <time.h>

static const struct report_section *const sections[] = {
	&report_stall,   &report_rtt,  &report_crossover,
	&report_scaling, &report_host, &report_limits,
};

#define NR_SECTIONS (sizeof(sections) / sizeof(sections[0]))

static void write_head(FILE *out)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
	      "<meta charset=\"utf-8\"/>\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
	      "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
	      "<title>What a doorbell costs</title>\n",
	      out);
	report_style(out);
	fputs("</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the figures</a>\n", out);
}

static void write_header(const struct report *report, FILE *out)
{
	const struct host *host = &report->bench->host;
	time_t now = time(NULL);
	struct tm utc;
	char date[32] = "";

	if (gmtime_r(&now, &utc))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", &utc);
	fputs("<header>\n", out);
	html_element(out, "h1", "What a doorbell costs");
	html_printf(out, "p", "%s on %s. Measured on %s by bellwire %s.", host->kernel,
		    host->cpu[0] ? host->cpu : "a CPU that does not say its name", date,
		    BELLWIRE_VERSION);
	fputs("</header>\n", out);
}

static void write_contents(FILE *out)
{
	fputs("<nav aria-label=\"Contents\">\n<ul>\n", out);
	for (size_t i = 0; i < NR_SECTIONS; i++) {
		fprintf(out, "<li><a href=\"#%s\">", sections[i]->id);
		html_text(out, sections[i]->title);
		fputs("</a></li>\n", out);
	}
	fputs("</ul>\n</nav>\n", out);
}

static int write_section(const struct report *report, const struct report_section *section,
			 FILE *out)
{
	const char *absent = section->absent ? section->absent(report) : NULL;
	int status = CLI_OK;

	fprintf(out, "<section id=\"%s\" aria-labelledby=\"%s-heading\">\n<h2 id=\"%s-heading\">",
		section->id, section->id, section->id);
	html_text(out, section->title);
	fputs("</h2>\n", out);
	if (absent)
		html_element(out, "p", absent);
	else
		status = section->write(report, out);
	fputs("</section>\n", out);
	return status;
}

int report_page(const struct report *report, FILE *out)
{
	int status = CLI_OK;

	write_head(out);
	write_header(report, out);
	write_contents(out);
	fputs("<main id=\"main\" tabindex=\"-1\">\n", out);
	for (size_t i = 0; i < NR_SECTIONS && status == CLI_OK; i++)
		status = write_section(report, sections[i], out);
	fputs("</main>\n</body>\n</html>\n", out);
	return status;
}
