using System.CommandLine;
using System.CommandLine.Parsing;
using MixedPrecision.Cli;

namespace MixedPrecision.EndToEnd.Tests.Readme;

/// <summary>The page of all verbs, held against the command tree.</summary>
public sealed class CommandsPageTests
{
    private static readonly Markdown Page = Markdown.Read("build/docs/commands.md");

    private static readonly (Command Command, string Section)[] Verbs = [.. Leaves(Parse().RootCommandResult.Command).Select(verb => (verb, SectionOf(Usage(verb))))];

    [Fact]
    public void It_has_a_section_a_verb_in_order() => Assert.Equal(
        Verbs.Select(verb => Usage(verb.Command)),
        Page.Lines.Where(line => line.StartsWith("## ", StringComparison.Ordinal)).Select(line => line[3..].Trim('`')));

    [Fact]
    public void Each_begins_with_what_the_help_says() => Assert.All(Verbs, verb => Assert.StartsWith(verb.Command.Description + "\n", verb.Section, StringComparison.Ordinal));

    [Fact]
    public void Each_has_all_options_as_the_help_has_them() => Assert.All(Verbs, verb => Assert.Equal(
        verb.Command.Options.Where(option => !option.Hidden).Select(option => (
            $"`{option.Name}{(option.HelpName is { } value ? " " + value : "")}`{string.Concat(option.Aliases.Select(alias => $", `{alias}`"))}",
            option.Description + (option.Required ? " Required." : ""))),
        new Markdown(Page.Path, verb.Section).Table("option").Select(row => (row[0], row[1]))));

    /// <summary>Programs can ask for every result.</summary>
    [Fact]
    public void Each_gives_its_result_as_JSON() => Assert.All(Verbs, verb => Assert.Contains(verb.Command.Options, option => option.Name == "--json"));

    [Fact]
    public void Each_has_the_examples_of_the_help_and_they_are_valid() => Assert.All(Verbs, verb =>
    {
        string[] lines = [.. new Markdown(Page.Path, verb.Section).Blocks("sh").SelectMany(block => block.TrimEnd().Split('\n'))];
        Assert.NotEmpty(lines);
        Assert.Equal(HelpExamples.Of(verb.Command), lines);
        Assert.All(lines, line =>
        {
            ParseResult parsed = Parse([.. CommandLineParser.SplitCommandLine(line).Skip(1)]);
            Assert.Empty(parsed.Errors);
            Assert.Equal(HelpExamples.NameOf(verb.Command), HelpExamples.NameOf(parsed.CommandResult.Command));
        });
    });

    [Fact]
    public void Each_has_its_exit_codes_and_they_are_those_of_the_tool()
    {
        Assert.Equal([VerbRunner.Success, VerbRunner.UserError, VerbRunner.Defect, VerbRunner.Cancelled], Page.Table("code").Select(row => int.Parse(Markdown.QuotedIn(row[0]).Single(), System.Globalization.CultureInfo.InvariantCulture)));
        Assert.All(Verbs, verb => Assert.Single(verb.Section.Split('\n'), line => line.StartsWith("Exit codes: `0`", StringComparison.Ordinal)));
    }

    [Fact]
    public void Help_ends_with_the_examples() => Assert.All(Verbs, verb =>
    {
        using var output = new StringWriter();
        Assert.Equal(0, Parse([.. HelpExamples.NameOf(verb.Command).Split(' '), "--help"]).Invoke(new InvocationConfiguration { Output = output }));
        string[] lines = [.. output.ToString().TrimEnd().Split('\n').Select(line => line.TrimEnd())];
        Assert.Equal(HelpExamples.Of(verb.Command).Select(line => "  " + line), lines[^HelpExamples.Of(verb.Command).Count..]);
        Assert.StartsWith("Example", lines[^(HelpExamples.Of(verb.Command).Count + 1)], StringComparison.Ordinal);
    });

    private static ParseResult Parse(params string[] arguments) => new CommandLine().Parse(arguments, (_, _) => throw new InvalidOperationException("nothing is run"));

    /// <summary>Verbs that do something: of those with verbs of their own, these.</summary>
    private static IEnumerable<Command> Leaves(Command command) => command.Subcommands.SelectMany(verb => verb.Subcommands.Count > 0 ? Leaves(verb) : [verb]);

    private static string Usage(Command verb) => string.Join(' ', [HelpExamples.NameOf(verb), .. verb.Arguments.Select(argument => argument.Arity.MinimumNumberOfValues == 0 ? $"[{argument.Name}]" : argument.Name)]);

    private static string SectionOf(string usage)
    {
        string heading = $"\n## `{usage}`\n\n";
        int start = Page.Text.IndexOf(heading, StringComparison.Ordinal);
        Assert.True(start >= 0, $"There is no section for '{usage}'.");
        string rest = Page.Text[(start + heading.Length)..];
        return rest.IndexOf("\n## ", StringComparison.Ordinal) is >= 0 and int end ? rest[..end] : rest;
    }
}
