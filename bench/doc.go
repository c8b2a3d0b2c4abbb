// Command bench measures this product beside other ways to answer health questions, on
// the machine that it runs on:
//
//	bench run -out FILE            measure, and write the results
//	bench report RESULTS PAGE      write the tables of the page from results
//	bench report -check …          say whether they are up to date
//	bench serve NAME …             one of the servers that are measured
//
// Results are in the format of Go's benchmarks, for benchstat. All that is compared is
// measured in turns: in each round every candidate once, in random order, so that other
// load of the machine meets all alike. Run it by make bench; docs/benchmarks.md says what
// the figures mean.
package main
