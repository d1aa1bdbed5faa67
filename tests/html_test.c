/* SPDX-License-Identifier: MIT
 *
 * What becomes of foreign text in a page.
 */
#include "cli/html.h"
#include "cli/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define REPLACED "\xef\xbf\xbd"

static void expect(const char *text, const char *escaped)
{
	char *page = NULL;
	size_t size;
	FILE *out = open_memstream(&page, &size);

	assert_non_null(out);
	html_text(out, text);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(page, escaped);
	free(page);
}

static void text_cannot_end_an_element_or_an_attribute(void **state)
{
	(void)state;
	expect("<b a=\"1\" c='2'>&amp;", "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;");
}

static void text_of_other_languages_stays(void **state)
{
	(void)state;
	expect("\u00b5s \u65e5\u672c \U0001f514", "\u00b5s \u65e5\u672c \U0001f514");
}

static void what_is_no_utf_8_is_replaced(void **state)
{
	(void)state;
	expect("a\xff z", "a" REPLACED " z");
	expect("\x80", REPLACED);
	expect("cut \xe6\x97", "cut " REPLACED REPLACED);
	/* '<' in more bytes than it takes, which some readers would take for one. */
	expect("\xc0\xbc", REPLACED REPLACED);
	expect("\xe0\x80\xbc", REPLACED REPLACED REPLACED);
	expect("\xf8\x88\x80\x80\x80", REPLACED REPLACED REPLACED REPLACED REPLACED);
	/* Half of a pair, and beyond the last character. */
	expect("\xed\xa0\x80", REPLACED);
	expect("\xf4\x90\x80\x80", REPLACED);
}

static void what_xml_has_no_place_for_is_replaced(void **state)
{
	(void)state;
	expect("\x01\x1b[31m\x7f", REPLACED REPLACED "[31m" REPLACED);
	expect("\xef\xbf\xbe", REPLACED);
	expect("\xc2\x9b", REPLACED);
	expect("\ta\n", "\ta\n");
}

static void an_element_ends_by_its_name(void **state)
{
	char *page = NULL;
	size_t size;
	FILE *out = open_memstream(&page, &size);

	(void)state;
	assert_non_null(out);
	html_element(out, "td class=\"why\"", "<");
	assert_int_equal(fclose(out), 0);
	assert_string_equal(page, "<td class=\"why\">&lt;</td>\n");
	free(page);
}

/* A page of a host that calls itself what it likes, where nothing could be measured. */
static char *hostile_page(void)
{
	static const char name[] = "</p><script>alert(1)</script>";
	struct bench_opts opts = { .place = &bench_thread, .cpl = 3, .endpoint.cpu = 1 };
	struct bench_report *bench = calloc(1, sizeof(*bench));
	struct report report = { .bench = bench };
	char *page = NULL;
	size_t size;
	FILE *out = open_memstream(&page, &size);

	assert_true(bench && out);
	bench->opts = &opts;
	bench->nr_benches = 1;
	bench->benches[0].be = vm_backend_at(0);
	snprintf(bench->benches[0].why, sizeof(bench->benches[0].why), "%s", name);
	snprintf(bench->host.kernel, sizeof(bench->host.kernel), "%s", name);
	snprintf(bench->host.cpu, sizeof(bench->host.cpu), "%s", name);
	snprintf(bench->host.governor, sizeof(bench->host.governor), "%s", name);
	bench->host.nr_vulnerabilities = 1;
	snprintf(bench->host.vulnerabilities[0].name, 64, "%s", name);
	snprintf(bench->host.vulnerabilities[0].state, HOST_TEXT, "%s", name);
	assert_int_equal(report_page(&report, out), 0);
	assert_int_equal(fclose(out), 0);
	free(bench);
	return page;
}

static void no_text_of_the_host_is_taken_for_html(void **state)
{
	char *page = hostile_page();
	unsigned int said = 0;

	(void)state;
	assert_null(strstr(page, "<script"));
	for (const char *at = page; (at = strstr(at, "&lt;script&gt;alert(1)")); at++)
		said++;
	assert_int_equal(said, 8); /* kernel and CPU twice, governor, flaw, its state, why */
	free(page);
}

static void a_section_with_nothing_to_show_says_what_to_run(void **state)
{
	char *page = hostile_page();

	(void)state;
	assert_non_null(strstr(page, ": bellwire bench rtt "));
	assert_non_null(strstr(page, ": bellwire bench adaptive "));
	assert_non_null(strstr(page, ": bellwire bench dispatch "));
	assert_null(strstr(page, "<figure"));
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_cannot_end_an_element_or_an_attribute),
		cmocka_unit_test(text_of_other_languages_stays),
		cmocka_unit_test(what_is_no_utf_8_is_replaced),
		cmocka_unit_test(what_xml_has_no_place_for_is_replaced),
		cmocka_unit_test(an_element_ends_by_its_name),
		cmocka_unit_test(no_text_of_the_host_is_taken_for_html),
		cmocka_unit_test(a_section_with_nothing_to_show_says_what_to_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
