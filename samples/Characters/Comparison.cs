using System.Diagnostics;

namespace Characters;

/// <summary>Time, size and quality of two models on the same pictures.</summary>
public static class Comparison
{
    private const int Passes = 4;

    /// <summary>A table. The models take turns on each picture, so that whatever slows the machine down slows both down.</summary>
    public static string Of(Classifier original, Classifier mixed, IReadOnlyList<(float[] Pixels, string Class)> pictures)
    {
        var times = new Dictionary<Classifier, List<double>> { [original] = [], [mixed] = [] };
        var right = new Dictionary<Classifier, int> { [original] = 0, [mixed] = 0 };
        int same = 0;
        for (int pass = 0; pass < Passes; pass++)
        {
            (right[original], right[mixed], same) = (0, 0, 0);
            foreach ((float[] pixels, string own) in pictures)
            {
                string before = Timed(original, pixels), after = Timed(mixed, pixels);
                right[original] += before == own ? 1 : 0;
                right[mixed] += after == own ? 1 : 0;
                same += before == after ? 1 : 0;
            }
        }

        double Milliseconds(Classifier model) => times[model].Order().ElementAt(times[model].Count / 2);
        string Row(string name, Classifier model) =>
            $"{name,-16}{Milliseconds(model),9:0.000} ms{model.Bytes / 1e6,10:0.00} MB{100.0 * right[model] / pictures.Count,10:0.0} %\n";
        return $"""
            {pictures.Count} pictures that calibration has not seen, one by one on two threads:

                            a picture         size       right
            {Row("original", original)}{Row("mixed precision", mixed)}
            {Milliseconds(original) / Milliseconds(mixed):0.0} times as fast; {same} of {pictures.Count} answers are the same.

            """;

        string Timed(Classifier model, float[] pixels)
        {
            long start = Stopwatch.GetTimestamp();
            string answer = model.Classify(pixels).Class;
            times[model].Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            return answer;
        }
    }
}
