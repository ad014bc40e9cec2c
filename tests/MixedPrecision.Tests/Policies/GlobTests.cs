using System.Text.RegularExpressions;
using CsCheck;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Policies;

public class GlobTests
{
    [Theory]
    [InlineData("/classifier/*", "/classifier/MatMul/x", true)]
    [InlineData("/classifier/*", "/Classifier/MatMul", false)]
    [InlineData("*/q_proj/*", "/model/layers.0/q_proj/MatMul", true)]
    [InlineData("layer.?", "layer.1", true)]
    [InlineData("layer.?", "layer.10", false)]
    [InlineData("layer.?", "layer.", false)]
    [InlineData("MatMul", "MatMul_1", false)]
    [InlineData("a[b].c", "a[b].c", true)]
    [InlineData("**", "", true)]
    [InlineData("", "", true)]
    [InlineData("", "a", false)]
    public void A_pattern_matches_the_whole_name(string pattern, string name, bool expected) => Assert.Equal(expected, Glob.IsMatch(pattern, name));

    [Fact]
    public void Any_pattern_agrees_with_a_regular_expression() =>
        Gen.Select(Gen.String[Gen.Char["ab*?"], 0, 8], Gen.String[Gen.Char["ab/"], 0, 10]).Sample((pattern, name) =>
        {
            string regex = string.Concat(pattern.Select(c => c switch { '*' => ".*", '?' => ".", _ => Regex.Escape(c.ToString()) }));
            return Glob.IsMatch(pattern, name) == Regex.IsMatch(name, $@"\A{regex}\z", RegexOptions.Singleline);
        }, iter: 20_000);

    [Fact]
    public void A_hostile_pattern_takes_no_exponential_time()
    {
        string pattern = string.Concat(Enumerable.Repeat("*a", 1000)) + "b";

        Assert.False(Glob.IsMatch(pattern, new string('a', 5000)));
    }
}
