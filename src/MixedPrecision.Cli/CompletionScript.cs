using System.Text.Json;
using System.Text.Json.Serialization;

namespace MixedPrecision.Cli;

/// <summary>Scripts by which shells complete: each asks the tool itself what may follow.</summary>
internal static class CompletionScript
{
    private const string Bash = """
        _mixed_precision() {
            local IFS=$'\n'
            COMPREPLY=($(compgen -W "$(mixed-precision "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o default -F _mixed_precision mixed-precision
        """;

    // Only the command at hand, up to the cursor, by the name that the tool knows itself by. What follows a verb may be a file too.
    private const string Zsh = """
        _mixed_precision() {
            local -a typed found
            typed=(mixed-precision "${(@)words[2,CURRENT-1]}" "$PREFIX")
            local line="${(j: :)typed}"
            found=("${(@f)$(mixed-precision "[suggest:${#line}]" "$line" 2>/dev/null)}")
            found=(${found:#})
            (( ${#found} )) && compadd -- $found
            (( CURRENT > 2 )) && _files
        }
        compdef _mixed_precision mixed-precision
        """;

    // Likewise: the position that PowerShell tells counts from the beginning of all that was typed.
    private const string Pwsh = """
        Register-ArgumentCompleter -Native -CommandName mixed-precision -ScriptBlock {
            param($word, $command, $position)
            $end = $command.CommandElements[0].Extent.EndOffset
            $line = 'mixed-precision' + $command.Extent.Text.Substring($end - $command.Extent.StartOffset)
            mixed-precision "[suggest:$($position - $end + 'mixed-precision'.Length)]" "$line" | Where-Object { $_.StartsWith($word) } | ForEach-Object {
                [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
            }
        }
        """;

    private static readonly Dictionary<string, string> Scripts = new() { ["bash"] = Bash, ["zsh"] = Zsh, ["pwsh"] = Pwsh };

    public static IReadOnlyCollection<string> Shells => Scripts.Keys;

    public static string[] Lines(string shell) => Scripts[shell].ReplaceLineEndings("\n").Split('\n');

    public static string Json(string shell) => JsonSerializer.Serialize(new Document(shell, Scripts[shell].ReplaceLineEndings("\n") + "\n"), CompletionContext.Default.Document);

    internal sealed record Document(string Shell, string Script);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(CompletionScript.Document))]
internal sealed partial class CompletionContext : JsonSerializerContext;
