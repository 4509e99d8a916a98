/* The subcommands of modelwatch: one file each, one line each in the table of main.c.
 *
 * argv[0] is the subcommand's name. Each returns the program's exit status: MW_EXIT_OWN when
 * modelwatch itself failed or was called wrongly, having said why on stderr. */
#ifndef MW_TOOLS_MAIN_H
#define MW_TOOLS_MAIN_H

/* Chosen as env(1), nohup(1) and timeout(1) choose theirs: no command of its own uses it. */
#define MW_EXIT_OWN 125

int mw_cmd_run(int argc, char **argv);
int mw_cmd_policy(int argc, char **argv);
int mw_cmd_doctor(int argc, char **argv);
int mw_cmd_report(int argc, char **argv);
int mw_cmd_why(int argc, char **argv);

#endif
