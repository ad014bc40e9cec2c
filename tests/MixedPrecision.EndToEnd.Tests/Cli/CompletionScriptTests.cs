using MixedPrecision.Cli;

namespace MixedPrecision.EndToEnd.Tests.Cli;

/// <summary>
/// What shells are given to complete with; it was run in zsh 5.9 and PowerShell 7.6. A line may hold more than the command (<c>cd app; mixed-precision cache p</c>), which may be named by a path: the tool is asked of the
/// command alone, up to the cursor, by its own name.
/// </summary>
public class CompletionScriptTests
{
    [Fact]
    public void TheOneForZshTakesTheWordsOfTheCommand()
    {
        string script = Script("zsh");
        Assert.Contains("""typed=(mixed-precision "${(@)words[2,CURRENT-1]}" "$PREFIX")""", script, StringComparison.Ordinal);
        Assert.Contains("""mixed-precision "[suggest:${#line}]" "$line" """, script, StringComparison.Ordinal);
        Assert.DoesNotContain("BUFFER", script, StringComparison.Ordinal);
        // A file is no verb.
        Assert.Contains("(( CURRENT > 2 )) && _files", script, StringComparison.Ordinal);
        Assert.EndsWith("compdef _mixed_precision mixed-precision", script, StringComparison.Ordinal);
    }

    [Fact]
    public void TheOneForPowerShellCountsFromTheCommand()
    {
        string script = Script("pwsh");
        Assert.Contains("$line = 'mixed-precision' + $command.Extent.Text.Substring($end - $command.Extent.StartOffset)", script, StringComparison.Ordinal);
        Assert.Contains("[suggest:$($position - $end + 'mixed-precision'.Length)]", script, StringComparison.Ordinal);
        // What was typed is no pattern.
        Assert.DoesNotContain("-like", script, StringComparison.Ordinal);
    }

    [Fact]
    public void NoneHasLinesThatEndAsOnWindows() => Assert.All(CompletionScript.Shells, shell => Assert.DoesNotContain('\r', Script(shell)));

    private static string Script(string shell) => string.Join('\n', CompletionScript.Lines(shell));
}
