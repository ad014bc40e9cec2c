using MixedPrecision.Diagnostics;

namespace MixedPrecision.Tests.Diagnostics;

public class WordingTests
{
    [Fact]
    public void A_quote_is_one_line_of_bounded_length()
    {
        Assert.Equal("'a\\u000ab\\u001b[31m\\u2028'", Wording.Quote("a\nb\u001b[31m\u2028"));
        string quoted = Wording.Quote("start" + new string('x', 10_000) + "end");
        Assert.StartsWith("'startx", quoted, StringComparison.Ordinal);
        Assert.EndsWith("xend'", quoted, StringComparison.Ordinal);
        Assert.Equal(83, quoted.Length);
    }

    [Fact]
    public void A_long_list_ends_in_a_count()
    {
        Assert.Equal("'a', 'b'", Wording.List(["a", "b"]));
        Assert.EndsWith(", '12' and 8 more", Wording.List([.. Enumerable.Range(1, 20).Select(i => $"{i}")]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("budgt", "budget")]
    [InlineData("ubdget", "budget")]
    [InlineData("BUDGET", "budget")]
    [InlineData("input_id", "input_ids")]
    [InlineData("x", "y")]
    [InlineData("entirely", null)]
    [InlineData("", "y")]
    public void The_nearest_name_is_near(string found, string? nearest) =>
        Assert.Equal(nearest, Wording.Nearest(found, ["input_ids", "attention_mask", "budget", "y"]));
}
